// Layers with parameters, and the names these parameters get.

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dagan/net.h"

scope_t scope_new(tape_t *t, params_t *p, const config_t *conf, const char *net, const char *norm)
{
    scope_t s = { .tape = t, .params = p, .conf = conf, .norm = norm };
    snprintf(s.path, sizeof s.path, "%s", net);
    return s;
}

scope_t scope_in(const scope_t *s, const char *name, ...)
{
    scope_t inner = *s;
    char text[VIEW_NAME_MAX];
    va_list args;
    va_start(args, name);
    vsnprintf(text, sizeof text, name, args);
    va_end(args);
    int length = snprintf(inner.path, sizeof inner.path, "%s.%s", s->path, text);
    CHECK(length < (int)sizeof inner.path, "the name %s.%s is too long", s->path, text);
    return inner;
}

static var_t param(const scope_t *s, const char *layer, const char *name, init_t init, int rank,
                   const int shape[4])
{
    scope_t full = scope_in(s, "%s.%s", layer, name);
    return tape_param(s->tape, s->params, params_view(s->params, full.path, init, rank, shape), s->frozen,
                      s->averaged);
}

var_t untrained(const scope_t *s, const char *layer, const char *name, init_t init, int n)
{
    scope_t still = *s;
    still.frozen = true;
    return param(&still, layer, name, init, 1, (int[4]){ n });
}

var_t conv_layer(const scope_t *s, const char *name, var_t x, int out, int size, int stride, int pad,
                 bool bias, act_t act)
{
    var_t w = param(s, name, "weight", INIT_NORMAL, 4, (int[]){ out, x->dim.c, size, size });
    var_t b = bias ? param(s, name, "bias", INIT_ZERO, 1, (int[4]){ out }) : NULL;
    if (s->spectral) {
        CHECK(b && stride != UPSAMPLE, "%s.%s: a convolution without bias or upsampled has no spectral norm",
              s->path, name);
        var_t y = conv(x, w, NULL, stride, pad, ACT_NONE),
              largest = sigma(w, untrained(s, name, "u", INIT_NORMAL, out));
        return divide(y, largest, b, act);
    }
    return stride == UPSAMPLE ? upsample_conv(x, w, b, pad, act) : conv(x, w, b, stride, pad, act);
}

static int groups_of(const scope_t *s, int channels)
{
    if (strcmp(s->norm, "instance") == 0) return channels;
    if (strcmp(s->norm, "layer") == 0) return 1;
    return channels < s->conf->model.norm_groups ? channels : s->conf->model.norm_groups;
}

var_t norm_layer(const scope_t *s, const char *name, var_t x, act_t act)
{
    var_t w = param(s, name, "weight", INIT_ONE, 1, (int[4]){ x->dim.c });
    var_t b = param(s, name, "bias", INIT_ZERO, 1, (int[4]){ x->dim.c });
    return norm(x, w, b, groups_of(s, x->dim.c), act);
}

var_t conv_norm(const scope_t *s, const char *conv_name, const char *norm_name, var_t x, int out, int size,
                int stride, int pad, act_t act)
{
    if (strcmp(s->norm, "none") == 0) return conv_layer(s, conv_name, x, out, size, stride, pad, true, act);
    return norm_layer(s, norm_name, conv_layer(s, conv_name, x, out, size, stride, pad, false, ACT_NONE),
                      act);
}

var_t residual(const scope_t *s, var_t x)
{
    var_t y = conv_norm(s, "conv1", "norm1", x, x->dim.c, 3, 1, 1, ACT_RELU);
    return add(x, conv_norm(s, "conv2", "norm2", y, x->dim.c, 3, 1, 1, ACT_NONE));
}
