// The table of numbers that a run leaves behind.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dagan/train.h"

int metrics_column(metrics_t *m, const char *name)
{
    for (int i = 0; i < m->n_columns; i++)
        if (strcmp(m->name[i], name) == 0) return i;
    CHECK(m->n_columns < METRICS_MAX && m->n_rows == 0, "no room for metric %s", name);
    snprintf(m->name[m->n_columns], METRIC_NAME_MAX, "%s", name);
    return m->n_columns++;
}

double *metrics_add(metrics_t *m)
{
    size_t columns = (size_t)m->n_columns;
    if (m->n_rows == m->capacity) {
        m->capacity = m->capacity ? 2 * m->capacity : 256;
        m->row = realloc(m->row, m->capacity * columns * sizeof(double));
        CHECK(m->row, "no memory for %zu rows of metrics", m->capacity);
    }
    double *row = m->row + m->n_rows++ * columns;
    memset(row, 0, columns * sizeof(double));
    return row;
}

void metrics_free(metrics_t *m)
{
    free(m->row);
    *m = (metrics_t){ 0 };
}
