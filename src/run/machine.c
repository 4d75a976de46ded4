// What a run is on, for the log: the hosts with their ranks, and the processor of rank 0.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rundir.h"

enum { HOSTS_NAMED = 4 };

// "AMD EPYC 7763 64-Core Processor", or "" where the system does not tell.
static void processor(char *text, size_t size)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    text[0] = 0;
    while (f && !text[0] && fgets(line, sizeof line, f)) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && value)
            snprintf(text, size, "%s", value + strspn(value, ": \t"));
    }
    text[strcspn(text, "\n")] = 0;
    if (f) fclose(f);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const host_t *)a)->name, ((const host_t *)b)->name);
}

void machine_text(char *text, size_t size, const comm_t *c)
{
    char model[256];
    host_t *host = alloc((size_t)c->size, sizeof *host);
    memcpy(host, c->host, (size_t)c->size * sizeof *host);
    qsort(host, (size_t)c->size, sizeof *host, by_name);
    processor(model, sizeof model);
    int hosts = 0, at = 0;
    for (int i = 0, n; i < c->size; i += n, hosts++) {
        n = 1;
        while (i + n < c->size && by_name(&host[i], &host[i + n]) == 0) n++;
        if (hosts < HOSTS_NAMED && (size_t)at < size)
            at += snprintf(text + at, size - (size_t)at, "%s%s x %d", hosts ? ", " : "", host[i].name, n);
    }
    if (hosts > HOSTS_NAMED && (size_t)at < size)
        at += snprintf(text + at, size - (size_t)at, " and %d more hosts", hosts - HOSTS_NAMED);
    if (model[0] && (size_t)at < size)
        snprintf(text + at, size - (size_t)at, "; %s, %ld cores", model, sysconf(_SC_NPROCESSORS_ONLN));
    free(host);
}
