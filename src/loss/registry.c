// Every loss of this folder, in the order of their files.

#include "dagan/loss.h"

#define X(name) extern const loss_t name;
#include "registry/loss.h"
#undef X

#define X(name) &name,
const loss_t *const losses[] = {
#include "registry/loss.h"
    NULL
};
