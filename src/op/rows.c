// Some images of a batch, or the same numbers under another shape: views that share memory with their input.

#include "dagan/op.h"

static void nothing(node_t *y)
{
    (void)y;
}

static var_t example(tape_t *t, int i)
{
    var_t x = i < 2 ? tape_variable(t, (shape_t){ 3, 2, 2, 2 }) : NULL;
    // A view has no kernel of its own; relu reads it.
    return i == 0 ? relu(rows(x, 1, 2)) : i == 1 ? relu(reshape(x, (shape_t){ 1, 1, 3, 8 })) : NULL;
}

const op_t op_rows = {
    .name = "rows", .forward = nothing, .backward = nothing, .example = example, .is_view = true
};

static var_t view_of(var_t x, size_t offset, shape_t dim)
{
    var_t y = tape_node(x->tape, &op_rows, dim, 1, &x);
    CHECK(offset + numel(dim) <= numel(x->dim) && offset <= INT_MAX, "a view beyond its array");
    y->i[0] = (int)offset;
    return y;
}

var_t rows(var_t x, int first, int n)
{
    return view_of(x, (size_t)first * (numel(x->dim) / (size_t)x->dim.n),
                   (shape_t){ n, x->dim.h, x->dim.w, x->dim.c });
}

var_t reshape(var_t x, shape_t dim)
{
    return view_of(x, 0, dim);
}
