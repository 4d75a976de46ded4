// A picture, PNG or JPEG, up to the square that is packed.
#include "fuzz.h"

static void begin(void)
{
}

static void try(const uint8_t *data, size_t size)
{
    picture_t whole, part;
    if (picture_read(&whole, input_file("picture", data, size))) return;
    picture_fit(&part, &whole, 16);
    picture_free(&part);
    picture_free(&whole);
}
