# What differs from site to site; the batch scripts source this file.
# module load openmpi hdf5-parallel          # where the site has modules
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
# Ranks get a minute to write their checkpoint after a signal.
export OMPI_MCA_odls_base_sigkill_timeout=60
DAGAN=${DAGAN:-./dagan_mpi}
