// Private to data/: what the child process of hdf5_child.c does.
#ifndef DATA_HDF5_WALK_H
#define DATA_HDF5_WALK_H

// Touches whatever a rank may read at and below `object` of an HDF5 file, and refuses what reaches out of the
// file or claims more than the file holds.  0, also where something is missing, which the ranks tell better;
// or -1 after fail().
int hdf5_walk(const char *path, const char *object);

#endif
