// Figures of nearest neighbours among features: precision, recall (balls around the k nearest) and 1-NN
// accuracy.

#include <math.h>
#include <stdlib.h>

#include "dagan/eval.h"

// Differences first: |x|^2 + |y|^2 - 2 x.y would lose what makes near ones near.
static float distance(const float *a, const float *b, size_t d)
{
    double sum = 0;
    for (size_t j = 0; j < d; j++) sum += (double)(a[j] - b[j]) * (double)(a[j] - b[j]);
    return (float)sum;
}

void eval_radii(float *out, const float *x, size_t n, size_t d, int k, size_t first, size_t count)
{
    float *nearest = alloc((size_t)k, sizeof *nearest); // ascending
    for (size_t i = first; i < first + count; i++) {
        for (int a = 0; a < k; a++) nearest[a] = INFINITY;
        for (size_t j = 0; j < n; j++) {
            float r = j == i ? INFINITY : distance(x + i * d, x + j * d, d);
            for (int a = 0; a < k; a++)
                if (r < nearest[a]) {
                    float further = nearest[a];
                    nearest[a] = r;
                    r = further;
                }
        }
        out[i - first] = nearest[k - 1];
    }
    free(nearest);
}

size_t eval_covered(const float *x, size_t first, size_t count, const float *y, const float *radius, size_t m,
                    size_t d)
{
    size_t covered = 0;
    for (size_t i = first; i < first + count; i++) {
        bool is_inside = false;
        for (size_t j = 0; j < m && !is_inside; j++)
            is_inside = distance(x + i * d, y + j * d, d) <= radius[j];
        covered += is_inside;
    }
    return covered;
}

size_t eval_same_side(const float *xy, size_t n, size_t m, size_t d, size_t first, size_t count)
{
    size_t same = 0;
    for (size_t i = first; i < first + count; i++) {
        float least = INFINITY;
        size_t nearest = i;
        for (size_t j = 0; j < n + m; j++) {
            float r = j == i ? INFINITY : distance(xy + i * d, xy + j * d, d);
            if (r >= least) continue;
            least = r;
            nearest = j;
        }
        same += (nearest < n) == (i < n);
    }
    return same;
}
