// LeCam regularisation (Tseng, Jiang, Liu, Yang, Yang: CVPR 2021): a discriminator's scores are held near the
// average of those it lately gave to the other side, so that few data do not let it grow ever surer.
//
//     mean (real - a_fake)^2 + mean (fake - a_real)^2
//
// The averages begin at 0 (train/follow.c), so at first scores are held near that.

#include "dagan/op.h"

enum { REAL, FAKE, AVERAGES };

static void forward(node_t *y)
{
    const float *a = y->in[AVERAGES]->x;
    double sum[2] = { 0 };
    size_t n[2];
    for (int k = REAL; k <= FAKE; k++) {
        n[k] = numel(y->in[k]->dim);
        for (size_t i = 0; i < n[k]; i++) {
            double apart = y->in[k]->x[i] - a[1 - k];
            sum[k] += apart * apart;
        }
    }
    y->x[0] = (float)(sum[REAL] / (double)n[REAL] + sum[FAKE] / (double)n[FAKE]);
}

static void backward(node_t *y)
{
    const float *a = y->in[AVERAGES]->x;
    for (int k = REAL; k <= FAKE; k++) {
        size_t n = numel(y->in[k]->dim);
        for (size_t i = 0; i < n && y->in[k]->g; i++)
            y->in[k]->g[i] += 2 * y->g[0] * (y->in[k]->x[i] - a[1 - k]) / (float)n;
    }
}

static var_t example(tape_t *t, int i)
{
    if (i) return NULL;
    var_t real = tape_variable(t, (shape_t){ 2, 2, 3, 1 }), fake = tape_variable(t, (shape_t){ 1, 2, 3, 1 });
    return lecam(real, fake, tape_input(t, "averages", (shape_t){ 1, 1, 1, 2 }));
}

const op_t op_lecam = {
    .name = "lecam", .forward = forward, .backward = backward, .example = example, .reads_inputs = true
};

var_t lecam(var_t real, var_t fake, var_t averages)
{
    return tape_node(real->tape, &op_lecam, (shape_t){ 1, 1, 1, 1 }, 3, (var_t[]){ real, fake, averages });
}
