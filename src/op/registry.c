// Every op of this folder, for tests and `graph`.  build/registry/op.h lists what the folder defines.

#include "dagan/op.h"

bool op_plain;

#define X(name) extern const op_t name;
#include "registry/op.h"
#undef X

#define X(name) &name,
const op_t *const ops[] = {
#include "registry/op.h"
};
const int n_ops = sizeof ops / sizeof *ops;
