// The figures as a table for people and as JSON for programs.

#include <errno.h>
#include <math.h>
#include <string.h>

#include "figures.h"

// ---- table -----------------------------------------------------------------------------------------------

static const char *domain_name(const gathered_t *g, int d)
{
    return d ? g->conf.data.target.group : g->conf.data.source.group;
}

// What the classifier learned from; s and t of its pairs are images of one domain, or it is of both.
static const char *judge_group(const gathered_t *g)
{
    const config_t *conf = &g->judge_conf;
    return strcmp(conf->data.source.group, conf->data.target.group) ? "two domains" : conf->data.target.group;
}

static void regions_table(FILE *to, const figures_t *f, const gathered_t *g)
{
    fprintf(to, "\n%-12s %-12s %6s %6s %9s %7s %7s %6s\n", "regions", "part", "region", "images", "median px",
            "90% px", "inside", "IoU");
    for (int d = 0; d < DOMAINS; d++)
        for (int i = 0; i < f->domain[d].n_parts; i++) {
            const region_figures_t *r = &f->domain[d].part[i].f;
            fprintf(to, "%-12s %-12s %6d %6zu", domain_name(g, d), f->domain[d].part[i].name,
                    f->domain[d].part[i].region, r->n);
            if (r->n) fprintf(to, " %9.2f %7.2f %6.1f%% %6.3f", r->median, r->p90, 100 * r->inside, r->iou);
            fputc('\n', to);
        }
    for (int d = 0; d < DOMAINS; d++) {
        const domain_figures_t *r = &f->domain[d];
        fprintf(to, "%-12s overlap of regions %.3f", domain_name(g, d), r->overlap);
        if (r->n_landmarks)
            fprintf(to, "; %d landmarks told from centres: NME %.4f, PCK 5%% %.1f%%", r->n_landmarks,
                    r->landmarks.nme, 100 * r->landmarks.pck);
        fputc('\n', to);
    }
}

static void percent(FILE *to, int width, double share)
{
    if (!isfinite(share))
        fprintf(to, " %*s", width, "-");
    else
        fprintf(to, " %*.1f%%", width - 1, 100 * share);
}

static void labels_table(FILE *to, const figures_t *f, const gathered_t *g)
{
    if (!f->n_labels) return;
    fprintf(to, "\n%-12s %12.12s %12.12s %9s %9s %9s %9s %7s %7s %7s %7s  %s\n", "labels", domain_name(g, 0),
            domain_name(g, 1), "kept in s'", "on real", "of it", "balanced", "MODE", "real", "modes", "real",
            "missing in s'");
    for (int i = 0; i < f->n_labels; i++) {
        const label_figures_t *l = &f->label[i];
        fprintf(to, "%-12s", l->name);
        for (int d = 0; d < DOMAINS; d++) percent(to, 12, l->dae[d]);
        if (f->has_judge && l->modes.occurring) {
            percent(to, 10, l->kept);
            percent(to, 9, l->real);
            percent(to, 9, l->kept / l->real);
            percent(to, 9, l->kept_balanced / l->real_balanced);
            fprintf(to, " %7.3f %7.3f %4d/%-2d %4d/%-2d  %s", l->mode.value, l->mode.floor, l->modes.present,
                    l->modes.occurring, l->real_modes.present, l->real_modes.occurring, l->missing);
        }
        fputc('\n', to);
    }
}

static void figure(FILE *to, const char *name, const figure_t *x)
{
    fprintf(to, "%-26s %12.5g %12.5g\n", name, x->value, x->floor);
}

static void distances_line(FILE *to, const char *name, const distances_t *d)
{
    fprintf(to, "%-26s %12.5g %12.5g %24.5g\n", name, d->partner, d->nearest, d->partner_nearest);
}

static void distributions_table(FILE *to, const figures_t *f)
{
    fprintf(to, "\n%-26s %12s %12s\n", "s' against target test", "s'", "real");
    if (f->has_judge) {
        figure(to, "KID", &f->kid);
        fprintf(to, "%-26s %12.5g\n", "KID of the domains", f->kid_domains);
        figure(to, "KID over that", &f->kid_ratio);
        figure(to, "Frechet distance", &f->fid);
        figure(to, "precision, k = 3", &f->precision);
        figure(to, "recall, k = 3", &f->recall);
        figure(to, "1-NN accuracy", &f->one_nn);
    }
    for (int l = 0; l < f->levels; l++) {
        char name[64];
        snprintf(name, sizeof name, "sliced Wasserstein, level %d", l);
        figure(to, name, &f->swd[l]);
    }
    figure(to, "sliced Wasserstein, mean", &f->swd_mean);
    if (!f->is_paired) return;
    fprintf(to, "\n%-26s %12s %12s %24s\n", "distance", "to partner", "to nearest", "of partner to nearest");
    distances_line(to, "pixels, mean |difference|", &f->pixel);
    if (f->has_judge) distances_line(to, "features, rms", &f->feature);
}

void figures_table(FILE *to, const figures_t *f, const gathered_t *g)
{
    char hash[HASH_TEXT];
    fprintf(to, "%s: %zu images of %s translated\n", g->path, f->n, g->test[0].name);
    if (f->has_judge)
        fprintf(to, "classifier %s, %s, of %s%s\n", judge_name(hash, &g->judge), g->judge_path,
                judge_group(g), strcmp(judge_group(g), domain_name(g, 1)) ? ": not the target's" : "");
    else
        fputs("no --classifier: only what needs none\n", to);
    if (f->has_attention) regions_table(to, f, g);
    labels_table(to, f, g);
    distributions_table(to, f);
}

// ---- JSON ------------------------------------------------------------------------------------------------

typedef struct {
    FILE *to;
    int depth;
    bool is_first;
} json_t;

static void quoted(FILE *to, const char *text)
{
    fputc('"', to);
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\') fputc('\\', to);
        if ((unsigned char)*c >= ' ') fputc(*c, to);
    }
    fputc('"', to);
}

static void key(json_t *j, const char *name)
{
    fprintf(j->to, "%s\n%*s", j->is_first ? "" : ",", 2 * j->depth, "");
    j->is_first = false;
    quoted(j->to, name);
    fputs(": ", j->to);
}

static void text(json_t *j, const char *name, const char *value)
{
    key(j, name);
    quoted(j->to, value);
}

static void number(json_t *j, const char *name, double x)
{
    key(j, name);
    isfinite(x) ? fprintf(j->to, "%.9g", x) : fputs("null", j->to);
}

static void begin(json_t *j, const char *name)
{
    key(j, name);
    fputc('{', j->to);
    j->depth++;
    j->is_first = true;
}

static void end(json_t *j)
{
    j->depth--;
    fprintf(j->to, "\n%*s}", 2 * j->depth, "");
    j->is_first = false;
}

static void json_figure(json_t *j, const char *name, const figure_t *x)
{
    begin(j, name);
    number(j, "value", x->value);
    number(j, "real", x->floor);
    end(j);
}

static void json_domain(json_t *j, const char *name, const domain_figures_t *f)
{
    begin(j, name);
    for (int i = 0; i < f->n_parts; i++) {
        const region_figures_t *r = &f->part[i].f;
        begin(j, f->part[i].name);
        number(j, "region", f->part[i].region);
        number(j, "images", (double)r->n);
        number(j, "median_px", r->median);
        number(j, "p90_px", r->p90);
        number(j, "inside", r->inside);
        number(j, "iou", r->iou);
        end(j);
    }
    number(j, "overlap", f->overlap);
    number(j, "landmarks", f->n_landmarks);
    number(j, "nme", f->n_landmarks ? f->landmarks.nme : NAN);
    number(j, "pck", f->n_landmarks ? f->landmarks.pck : NAN);
    end(j);
}

static void json_label(json_t *j, const label_figures_t *l, bool has_judge)
{
    begin(j, l->name);
    number(j, "classes", l->classes);
    number(j, "dae_source", l->dae[0]);
    number(j, "dae_target", l->dae[1]);
    if (has_judge && l->modes.occurring) {
        number(j, "kept", l->kept);
        number(j, "kept_on_real", l->real);
        number(j, "kept_share", l->kept / l->real);
        number(j, "kept_balanced", l->kept_balanced);
        number(j, "kept_balanced_on_real", l->real_balanced);
        number(j, "mode_score", l->mode.value);
        number(j, "mode_score_real", l->mode.floor);
        number(j, "modes_present", l->modes.present);
        number(j, "modes_present_real", l->real_modes.present);
        number(j, "modes", l->modes.occurring);
        number(j, "modes_real", l->real_modes.occurring);
        text(j, "modes_missing", l->missing);
    }
    end(j);
}

static void json_distances(json_t *j, const char *name, const distances_t *d)
{
    begin(j, name);
    number(j, "partner", d->partner);
    number(j, "nearest", d->nearest);
    number(j, "partner_nearest", d->partner_nearest);
    end(j);
}

static void json_distributions(json_t *j, const figures_t *f)
{
    begin(j, "distributions");
    if (f->has_judge) {
        json_figure(j, "kid", &f->kid);
        number(j, "kid_domains", f->kid_domains);
        json_figure(j, "kid_ratio", &f->kid_ratio);
        json_figure(j, "fid", &f->fid);
        json_figure(j, "precision", &f->precision);
        json_figure(j, "recall", &f->recall);
        json_figure(j, "one_nn", &f->one_nn);
    }
    json_figure(j, "swd", &f->swd_mean);
    for (int l = 0; l < f->levels; l++) {
        char name[32];
        snprintf(name, sizeof name, "swd_%d", l);
        json_figure(j, name, &f->swd[l]);
    }
    end(j);
}

int figures_json(const char *path, const figures_t *f, const gathered_t *g)
{
    json_t j = { .to = fopen(path, "w"), .depth = 1, .is_first = true };
    if (!j.to) return fail("%s: %s", path, strerror(errno));
    char hash[HASH_TEXT];
    fputc('{', j.to);
    text(&j, "checkpoint", g->path);
    number(&j, "step", (double)g->step);
    text(&j, "source", g->test[0].name);
    text(&j, "target", g->test[1].name);
    number(&j, "images", (double)f->n);
    if (f->has_judge) text(&j, "classifier", judge_name(hash, &g->judge));
    if (f->has_judge) {
        key(&j, "classifier_groups");
        fputc('[', j.to);
        quoted(j.to, g->judge_conf.data.source.group);
        fputs(", ", j.to);
        quoted(j.to, g->judge_conf.data.target.group);
        fputc(']', j.to);
    }
    if (f->has_attention) {
        begin(&j, "regions");
        json_domain(&j, "source", &f->domain[0]);
        json_domain(&j, "target", &f->domain[1]);
        end(&j);
    }
    begin(&j, "labels");
    for (int i = 0; i < f->n_labels; i++) json_label(&j, &f->label[i], f->has_judge);
    end(&j);
    json_distributions(&j, f);
    if (f->is_paired) {
        begin(&j, "distances");
        json_distances(&j, "pixels", &f->pixel);
        if (f->has_judge) json_distances(&j, "features", &f->feature);
        end(&j);
    }
    fputs("\n}\n", j.to);
    bool bad = ferror(j.to) != 0;
    bad |= fclose(j.to) != 0;
    return bad ? fail("%s: cannot be written: %s", path, strerror(errno)) : 0;
}
