// A configuration: YAML, then lines of --set behind a line `---`.  What is accepted prints as YAML that means
// the same.
#include "fuzz.h"

enum { SETS_MAX = 16 };

static void begin(void)
{
}

static void try(const uint8_t *data, size_t size)
{
    static config_t conf, again;
    char *text = input_text(data, size), *sets[SETS_MAX];
    int n = 0;
    size_t length = size;
    char *at = strstr(text, "\n---\n");
    if (at) {
        length = (size_t)(at - text);
        for (char *line = strtok(at + 5, "\n"); line && n < SETS_MAX; line = strtok(NULL, "\n"))
            sets[n++] = line;
    }
    char *exact = malloc(length ? length : 1);
    memcpy(exact, text, length);
    if (config_parse(&conf, "fuzz.yaml", exact, length, sets, n) == 0) {
        char *yaml = config_yaml(&conf), *yaml_again = NULL;
        CHECK(config_parse(&again, "again.yaml", yaml, strlen(yaml), NULL, 0) == 0, "own YAML is refused: %s",
              error_text());
        CHECK(memcmp(&conf, &again, sizeof conf) == 0, "own YAML means something else");
        yaml_again = config_yaml(&again);
        CHECK(strcmp(yaml, yaml_again) == 0, "own YAML prints as something else");
        free(yaml_again);
        free(yaml);
    }
    free(exact);
    free(text);
}
