// The images whose largest logit stands at their label, and those that have one.  Figures, no loss.

#include "dagan/op.h"

static void forward(node_t *y)
{
    shape_t d = y->in[0]->dim;
    int known = 0, right = 0;
    for (int n = 0; n < d.n; n++) {
        const float *logit = y->in[0]->x + n * d.c;
        int best = 0, label = (int)y->in[1]->x[n];
        for (int c = 1; c < d.c; c++)
            if (logit[c] > logit[best]) best = c;
        known += label >= 0;
        right += label >= 0 && best == label;
    }
    y->x[0] = (float)right;
    y->x[1] = (float)known;
}

static void backward(node_t *y)
{
    (void)y;
}

const op_t op_accuracy = { .name = "accuracy", .forward = forward, .backward = backward };

var_t accuracy(var_t logits, var_t label)
{
    return tape_node(logits->tape, &op_accuracy, (shape_t){ 1, 1, 1, 2 }, 2, (var_t[]){ logits, label });
}
