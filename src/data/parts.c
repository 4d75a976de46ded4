// The boxes of parts, /<group>/<split>/parts/NAME (n, 4): the truth that evaluation compares regions with.
// Training never reads them.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset.h"

static herr_t add_part(hid_t group, const char *name, const H5L_info_t *info, void *to)
{
    (void)info;
    parts_t *p = to;
    part_t *part = &p->part[p->n_parts];
    if (p->n_parts == PARTS_MAX || strlen(name) >= sizeof part->name) return 0;
    hsize_t side[2] = { 0 };
    part->box = alloc(4 * p->n + 1, sizeof *part->box);
    hid_t d = H5Dopen2(group, name, H5P_DEFAULT), space = d < 0 ? -1 : H5Dget_space(d);
    bool fits = space >= 0 && H5Sget_simple_extent_ndims(space) == 2 &&
                H5Sget_simple_extent_dims(space, side, NULL) == 2 && side[0] == p->n && side[1] == 4;
    if (fits) fits = H5Dread(d, H5T_NATIVE_INT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, part->box) >= 0;
    if (space >= 0) H5_OK(H5Sclose(space));
    if (d >= 0) H5_OK(H5Dclose(d));
    p->n_parts++; // so that parts_free finds the boxes
    strcpy(part->name, name);
    return fits ? 0 : -1;
}

static int read_parts(parts_t *p, const domain_conf_t *where, const char *split)
{
    char path[2 * CONF_TEXT_MAX];
    snprintf(path, sizeof path, "%s/%s/parts", where->group, split);
    hid_t file = H5Fopen(where->file, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t group = file < 0 ? -1 : H5Gopen2(file, path, H5P_DEFAULT);
    int bad = group >= 0 && H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, add_part, p) < 0;
    if (group >= 0) H5_OK(H5Gclose(group));
    if (file >= 0) H5_OK(H5Fclose(file));
    if (bad && p->n_parts)
        return fail("%s: %s/%s cannot be read as boxes (%zu, 4)", where->file, path,
                    p->part[p->n_parts - 1].name, p->n);
    return bad ? fail("%s: %s cannot be read", where->file, path) : 0;
}

int parts_read(parts_t *p, const comm_t *c, const domain_conf_t *where, const char *split, size_t n)
{
    hdf5_printer_t printer = hdf5_mute(); // a data set without parts is no mistake
    *p = (parts_t){ .n = n };
    int bad = c->rank == 0 ? read_parts(p, where, split) : 0;
    hdf5_unmute(printer);
    if (comm_agree(c, bad, error_text())) return -1;
    comm_bcast(c, &p->n_parts, sizeof p->n_parts, 0);
    for (int i = 0; i < p->n_parts; i++) {
        part_t *part = &p->part[i];
        if (c->rank) part->box = alloc(4 * n + 1, sizeof *part->box);
        comm_bcast(c, part->name, sizeof part->name, 0);
        comm_bcast(c, part->box, 4 * n * sizeof *part->box, 0);
    }
    return 0;
}

const int16_t *parts_find(const parts_t *p, const char *name)
{
    for (int i = 0; i < p->n_parts; i++)
        if (strcmp(p->part[i].name, name) == 0) return p->part[i].box;
    return NULL;
}

void parts_free(parts_t *p)
{
    for (int i = 0; i < p->n_parts; i++) free(p->part[i].box);
    *p = (parts_t){ 0 };
}
