// Eq. 4 along one axis: m(p) = sig(k (p - left)) - sig(k (p - right)), left = centre - half, right = centre +
// half. Centres are in pixels of the image and pixel 0 is centred at 0.0, so a row runs from -0.5.

#include <math.h>

#include "dagan/op.h"

// exp only of negative numbers: for k = 1 and a far pixel exp(-k v) would overflow.
static double sigmoid(double v)
{
    return v >= 0 ? 1 / (1 + exp(-v)) : exp(v) / (1 + exp(v));
}

void boxcar(float *m, float *dm, int n, double first, double step, double centre, double half, double k)
{
    for (int j = 0; j < n; j++) {
        double p = first + j * step, l = sigmoid(k * (p - (centre - half))),
               r = sigmoid(k * (p - (centre + half)));
        m[j] = (float)(l - r);
        if (dm) dm[j] = (float)(-k * (l * (1 - l) - r * (1 - r)));
    }
}

// The window's place is rounded; the mask inside it is not, so centres keep their gradient.
int window_first(double centre, int size, int image_size)
{
    double first = floor((centre + 0.5 - size / 2.0) / WINDOW_STEP + 0.5) * WINDOW_STEP;
    double last = image_size - size;
    return (int)fmin(fmax(first, 0), last); // also where the centre is not a number
}
