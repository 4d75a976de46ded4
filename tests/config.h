// Configurations given as texts.
#ifndef CONFIG_H
#define CONFIG_H

#include "test.h"

// Line 1 of most texts.
#define DATA "data: { source: { file: a.h5, group: s }, target: { file: b.h5, group: t } }\n"
#define SHORT DATA "train: { steps: 10 }\n"

static inline int parse(config_t *c, const char *text)
{
    return config_parse(c, "configs/x.yaml", text, strlen(text), NULL, 0);
}

static inline int parse_with(config_t *c, const char *text, const char *option)
{
    char copy[2048];
    char *sets[] = { copy };
    snprintf(copy, sizeof copy, "%s", option);
    return config_parse(c, "configs/x.yaml", text, strlen(text), sets, 1);
}

static inline void accepts(config_t *c, const char *text)
{
    if (parse(c, text)) fail_msg("%s", error_text());
}

#endif
