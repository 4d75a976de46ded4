// Lines that are gathered before they are printed.

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dagan/base.h"

void lines_add(lines_t *l, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    CHECK(n >= 0 && (l->text = realloc(l->text, l->length + (size_t)n + 2)), "no memory for messages");
    vsnprintf(l->text + l->length, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    l->length += (size_t)n;
    l->text[l->length++] = '\n';
    l->text[l->length] = 0;
}
