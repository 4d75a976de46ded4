// Linked into the sanitizers' build alone: modules that Open MPI opened stay, so that leaks in them keep
// their names.
int dlclose(void *handle);

int dlclose(void *handle)
{
    (void)handle;
    return 0;
}
