// Whether a run has all that a checkpoint holds of its networks.  What it lacks would be gone for good with
// the next checkpoints: a setting forgotten when a run goes on must not thin it out.

#include <stdio.h>
#include <string.h>

#include "checkpoint.h"

typedef struct {
    const params_t *params;
    const char *net;
    char lacking[2 * VIEW_NAME_MAX]; // the first link that leads to no tensor of the run
} search_t;

// "res/3" of net "g" leads to the view "g.res.3.conv1.weight".
static bool leads_to(const char *view, const char *net, const char *link)
{
    size_t n = strlen(net);
    if (strncmp(view, net, n) || view[n] != '.') return false;
    for (view += n + 1; *link; link++, view++)
        if (*view != (*link == '/' ? '.' : *link)) return false;
    return *view == 0 || *view == '.';
}

// Heads go with the labels: a run may leave some out.
static bool is_head(const char *link)
{
    return strcmp(link, "head") == 0 || strncmp(link, "head/", 5) == 0;
}

static herr_t look(hid_t group, const char *link, const H5L_info_t *info, void *search)
{
    search_t *s = search;
    (void)group, (void)info;
    if (is_head(link)) return 0;
    for (int i = 0; i < s->params->n_views; i++)
        if (leads_to(s->params->view[i].name, s->net, link)) return 0;
    snprintf(s->lacking, sizeof s->lacking, "%s/%s", s->net, link);
    return 1;
}

int checkpoint_check_nets(const array_file_t *f, const params_t *p)
{
    for (int i = 0; i < p->n_nets; i++) {
        char group[VIEW_NAME_MAX + sizeof "/weights/"];
        search_t s = { .params = p, .net = p->net[i].name };
        snprintf(group, sizeof group, "/weights/%s", s.net);
        if (!array_exists(f, group)) continue;
        if (H5Lvisit_by_name(f->file, group, H5_INDEX_NAME, H5_ITER_INC, look, &s, H5P_DEFAULT) < 0)
            return fail("%s: %s cannot be read", f->path, group);
        if (s.lacking[0])
            return fail("%s: holds /weights/%s, which the networks of this configuration lack", f->path,
                        s.lacking);
    }
    return 0;
}
