// The label loss of one attribute: -log softmax(logits)[label], mean over the images; an unknown label (-1)
// adds 0.  The label is that of each image, or one class for all.

#include <math.h>

#include "dagan/op.h"

enum { LOGITS, LABEL };

static int label_of(const node_t *y, int n)
{
    return y->n_in > LABEL ? (int)y->in[LABEL]->x[n] : y->i[0];
}

// Subtracting the largest logit first keeps exp in range.
static double log_sum(const float *logit, int classes, double *max)
{
    double sum = 0;
    *max = logit[0];
    for (int c = 1; c < classes; c++) *max = fmax(*max, logit[c]);
    for (int c = 0; c < classes; c++) sum += exp(logit[c] - *max);
    return log(sum);
}

static void forward(node_t *y)
{
    shape_t d = y->in[LOGITS]->dim;
    double sum = 0, max;
    for (int n = 0; n < d.n; n++) {
        const float *logit = y->in[LOGITS]->x + n * d.c;
        int label = label_of(y, n);
        if (label >= 0) sum += log_sum(logit, d.c, &max) + max - logit[label];
    }
    y->x[0] = (float)(sum / d.n);
}

static void backward(node_t *y)
{
    shape_t d = y->in[LOGITS]->dim;
    float *g = y->in[LOGITS]->g;
    double max;
    if (!g) return;
    for (int n = 0; n < d.n; n++) {
        const float *logit = y->in[LOGITS]->x + n * d.c;
        int label = label_of(y, n);
        if (label < 0) continue;
        double log_z = log_sum(logit, d.c, &max);
        for (int c = 0; c < d.c; c++)
            g[n * d.c + c] += (float)(y->g[0] / d.n * (exp(logit[c] - max - log_z) - (c == label)));
    }
}

static var_t example(tape_t *t, int i)
{
    if (i > 1) return NULL;
    var_t logits = tape_variable(t, (shape_t){ 4, 1, 1, 5 });
    return i ? cross_entropy_class(logits, 3)
             : cross_entropy(logits, tape_input(t, "label", (shape_t){ 4, 1, 1, 1 }));
}

const op_t op_cross_entropy = { .name = "cross_entropy",
                                .forward = forward,
                                .backward = backward,
                                .example = example,
                                .reads_inputs = true };

var_t cross_entropy(var_t logits, var_t label)
{
    return tape_node(logits->tape, &op_cross_entropy, (shape_t){ 1, 1, 1, 1 }, 2, (var_t[]){ logits, label });
}

var_t cross_entropy_class(var_t logits, int class)
{
    var_t y = tape_node(logits->tape, &op_cross_entropy, (shape_t){ 1, 1, 1, 1 }, 1, &logits);
    y->i[0] = class;
    return y;
}
