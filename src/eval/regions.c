// Where regions stand against the parts they are bound to, and how far they cover each other.

#include <math.h>
#include <stdlib.h>

#include "dagan/eval.h"

typedef struct {
    double x0, y0, x1, y1;
} box_t;

static box_t box_of_region(const float *centre, const double half[2])
{
    return (box_t){ centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1] };
}

static double iou(box_t a, box_t b)
{
    double w = fmin(a.x1, b.x1) - fmax(a.x0, b.x0), h = fmin(a.y1, b.y1) - fmax(a.y0, b.y0);
    double both = w > 0 && h > 0 ? w * h : 0;
    return both / ((a.x1 - a.x0) * (a.y1 - a.y0) + (b.x1 - b.x0) * (b.y1 - b.y0) - both);
}

region_figures_t eval_regions(const float *centres, int regions, int region, const double half[2],
                              const int16_t *boxes, size_t n)
{
    region_figures_t f = { 0 };
    double *distance = alloc(n + 1, sizeof *distance), inside = 0, cover = 0;
    for (size_t i = 0; i < n; i++) {
        const int16_t *b = boxes + 4 * i;
        const float *c = centres + 2 * (i * (size_t)regions + (size_t)region);
        if (b[0] < 0) continue;
        box_t part = { b[0] - 0.5, b[1] - 0.5, b[2] - 0.5, b[3] - 0.5 };
        distance[f.n++] = hypot(c[0] - (part.x0 + part.x1) / 2, c[1] - (part.y0 + part.y1) / 2);
        inside += c[0] >= part.x0 && c[0] <= part.x1 && c[1] >= part.y0 && c[1] <= part.y1;
        cover += iou(box_of_region(c, half), part);
    }
    f.median = eval_quantile(distance, f.n, 0.5);
    f.p90 = eval_quantile(distance, f.n, 0.9);
    f.inside = inside / (double)f.n;
    f.iou = cover / (double)f.n;
    free(distance);
    return f;
}

double eval_overlap(const float *centres, int regions, const double half[][2], size_t n)
{
    double sum = 0;
    size_t pairs = n * (size_t)(regions * (regions - 1) / 2);
    for (size_t i = 0; i < n; i++) {
        const float *c = centres + 2 * i * (size_t)regions;
        for (int a = 0; a < regions; a++)
            for (int b = 0; b < a; b++)
                sum += iou(box_of_region(c + 2 * a, half[a]), box_of_region(c + 2 * b, half[b]));
    }
    return pairs ? sum / (double)pairs : 0;
}
