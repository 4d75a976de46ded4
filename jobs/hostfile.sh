#!/bin/bash
# A run over several hosts without SLURM, by mpirun and ssh, from the folder that holds jobs/:
#   jobs/hostfile.sh HOSTFILE [CONFIG] [ARGS of dagan_mpi...]
# HOSTFILE has lines `HOST slots=N`; one rank for each slot, or NP=N ranks.  The hosts see this folder under one path and take
# ssh without a password.  Hosts that do not answer are left out, so where one is lost, the same command goes on without it
# and without the ranks that were on it.
# Ctrl-C, SIGTERM and SIGUSR1 stop the run after a checkpoint; a second Ctrl-C ends it at once.
set -u
. jobs/job.sh || exit 1

[ $# -gt 0 ] || { echo "usage: jobs/hostfile.sh HOSTFILE [CONFIG] [ARGS of dagan_mpi...]" >&2; exit 1; }
[ -r "$1" ] || { echo "$1: cannot be read" >&2; exit 1; }
hostfile=$1
shift
[ $# -gt 0 ] || set -- configs/faces.yaml

answers() {
    [ "$1" = "$(hostname)" ] || [ "$1" = localhost ] ||
        $SSH -n -o BatchMode=yes -o ConnectTimeout=5 "$1" true >/dev/null 2>&1
}
lost='' there=$(mktemp) || exit 1
trap 'rm -f "$there"' EXIT
while read -r host rest || [ -n "$host" ]; do   # the last line may lack its end
    case $host in '' | '#'*) continue ;; esac
    if answers "$host"; then echo "$host $rest" >>"$there"; else echo "$host does not answer and is left out"; lost=yes; fi
done <"$hostfile"
[ -s "$there" ] || { echo "$hostfile: none of its hosts answers" >&2; exit 1; }

# mpirun would refuse more ranks than slots.  A line without slots=N leaves their number to mpirun.
slots=$(awk '!match($0, /[ \t]slots=[0-9]+/) { unknown = 1 } { n += substr($0, RSTART + 7, RLENGTH - 7) }
    END { if (!unknown) print n }' "$there")
if [ "$lost" ] && [ "$slots" ] && [ "${NP:-0}" -gt "$slots" ]; then
    echo "NP=$NP, and the hosts that answer have $slots slots: $slots ranks"
    NP=$slots
fi

# Where ranks gave up on a lost host, mpirun itself would wait for that host for a quarter of an hour more: it is ended half a
# minute after its last rank on this host.
watch() {
    local mpirun seen='' alone=0
    trap '' INT
    while sleep 5; do
        mpirun=$(pgrep -P $$ -x mpirun) || continue
        if pgrep -P "$mpirun" -x "$(basename "$DAGAN" | cut -c1-15)" >/dev/null; then
            seen=yes alone=0
        elif [ -n "$seen" ] && [ $((alone += 1)) -ge 6 ]; then
            echo "mpirun waits for a host that is lost and is ended" >&2
            kill -KILL "$mpirun"
        fi
    done
}
watch &
watch=$!
trap 'kill $watch; rm -f "$there"' EXIT

export OMPI_MCA_plm_rsh_agent=$SSH
# What the other hosts are to know as well.
told=()
for name in OMP_NUM_THREADS DAGAN_ISA BLIS_ARCH_TYPE; do [ -z "${!name+set}" ] || told+=(-x "$name"); done
# shellcheck disable=SC2086 # options are words
attend mpirun --hostfile "$there" ${NP:+-np $NP} "${told[@]}" $MPIRUN_OPTIONS "$DAGAN" "$@"
