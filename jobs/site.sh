# shellcheck shell=bash
# What differs from site to site; every script of this folder reads it.  Variables that are set already win.
# module load openmpi hdf5-parallel          # where the site has modules

# The program, and what starts its ranks under SLURM: srun, mpirun, or auto for srun where it speaks PMIx.
DAGAN=${DAGAN:-./dagan_mpi}
LAUNCHER=${LAUNCHER:-auto}

# Where ranks go and which network they use.  For mpirun on nodes of one's own, for example:
#   --map-by slot:PE=$OMP_NUM_THREADS --bind-to core --mca btl_tcp_if_include 10.1.0.0/16
SRUN_OPTIONS=${SRUN_OPTIONS:-}
MPIRUN_OPTIONS=${MPIRUN_OPTIONS:---bind-to none}

# How hostfile.sh reaches hosts.
SSH=${SSH:-ssh}

# Threads of a rank.
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-${OMP_NUM_THREADS:-1}}
