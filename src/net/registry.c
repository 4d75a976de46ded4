// The encoders and localisers that the configuration can name: one for each file of their folders.

#include "dagan/net.h"

#define X(name) extern const encoder_t name;
#include "registry/encoder.h"
#undef X
#define X(name) extern const localiser_t name;
#include "registry/localiser.h"
#undef X

#define X(name) &name,
const encoder_t *const encoders[] = {
#include "registry/encoder.h"
    NULL
};
const localiser_t *const localisers[] = {
#include "registry/localiser.h"
    NULL
};
