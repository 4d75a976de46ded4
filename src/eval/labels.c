// Labels that were told against labels that are true: accuracies, missing classes, and the MODE score.

#include <math.h>
#include <stdlib.h>

#include "dagan/eval.h"

double eval_accuracy(const int16_t *told, const int16_t *truth, size_t n)
{
    size_t known = 0, right = 0;
    for (size_t i = 0; i < n; i++) {
        known += truth[i] >= 0;
        right += truth[i] >= 0 && told[i] == truth[i];
    }
    return known ? (double)right / (double)known : NAN;
}

static size_t *counts(const int16_t *label, size_t n, int classes)
{
    size_t *count = alloc((size_t)classes, sizeof *count);
    for (size_t i = 0; i < n; i++)
        if (label[i] >= 0) count[label[i]]++;
    return count;
}

double eval_balanced(const int16_t *told, const int16_t *truth, size_t n, int classes)
{
    size_t *count = counts(truth, n, classes), *right = alloc((size_t)classes, sizeof *right);
    double sum = 0, occurring = 0;
    for (size_t i = 0; i < n; i++)
        if (truth[i] >= 0) right[truth[i]] += told[i] == truth[i];
    for (int k = 0; k < classes; k++) {
        if (!count[k]) continue;
        sum += (double)right[k] / (double)count[k];
        occurring++;
    }
    free(right);
    free(count);
    return occurring > 0 ? sum / occurring : NAN;
}

modes_t eval_modes(bool missing[], const int16_t *told, const int16_t *truth, size_t n, int classes)
{
    size_t *there = alloc((size_t)classes, sizeof *there), *wanted = counts(truth, n, classes);
    modes_t m = { 0 };
    for (size_t i = 0; i < n; i++)
        if (truth[i] >= 0 && told[i] >= 0) there[told[i]]++;
    for (int k = 0; k < classes; k++) {
        bool is_present = 2 * there[k] >= wanted[k];
        missing[k] = wanted[k] > 0 && !is_present;
        m.occurring += wanted[k] > 0;
        m.present += wanted[k] > 0 && is_present;
    }
    free(wanted);
    free(there);
    return m;
}

static double term(double p, double q) // of KL(p || q); 0 log 0 = 0
{
    return p > 0 ? p * log(p / q) : 0;
}

double eval_mode_score(const float *p, size_t n, const int16_t *real, size_t n_real, int classes)
{
    size_t *count = counts(real, n_real, classes), known = 0;
    double sharp = 0, off = 0;
    for (int k = 0; k < classes; k++) known += count[k];
    for (int k = 0; k < classes; k++) {
        double mean = 0;
        for (size_t i = 0; i < n; i++) mean += p[i * (size_t)classes + (size_t)k];
        mean /= (double)n;
        for (size_t i = 0; i < n; i++) sharp += term(p[i * (size_t)classes + (size_t)k], mean) / (double)n;
        // A class that no real image has would make every score 0: it counts as half an image.
        off += term(mean, count[k] ? (double)count[k] / (double)known : 0.5 / (double)known);
    }
    free(count);
    return known ? exp(sharp - off) : NAN;
}
