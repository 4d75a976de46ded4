#!/usr/bin/env bash
# The same weights, bit for bit, on 1, 2, 4 and 8 ranks; and what is said where that cannot be.  SHORT=1: two steps of two
# pairs on 1 and 2 ranks, also with more of everything and with threads.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
scratch
few_faces 60 12
END=ckpt-00000004.h5
SMALL+=(--set checkpoint.every=100 --set attention.jitter=0.5)

MANY=(2 4 8) SOME=(2 4)
if [ -n "${SHORT-}" ]; then
    MANY=(2) SOME=(2) END=ckpt-00000002.h5
    SMALL+=(--set train.batch=2 --set train.steps=2)
fi
for np in 1 "${MANY[@]}"; do train "$np" "$T/np$np"; done
for np in "${MANY[@]}"; do
    expect "$np ranks give every dataset of one rank, in bits" same "$T/np1/$END" "$T/np$np/$END"
done
expect "a clean run leaves stderr empty" is_quiet "$T/np${MANY[-1]}.err"
# D that follows more than gradients, centres that settle, and distances by another network.
small_classifier 1 "$T/classifier"
MORE=(--set model.norm.d=none --set model.spectral=true --set loss.weights.lecam=0.1 --set "attention.settle=1 2 0 0"
    --set loss.distance=classifier --set loss.classifier="$T/classifier/latest.h5")
for np in 1 "${SOME[@]}"; do train "$np" "$T/more$np" "${MORE[@]}"; done
for np in "${SOME[@]}"; do
    expect "with more of everything, too: $np ranks" same "$T/more1/$END" "$T/more$np/$END"
done
expect "the log names the network of distances" says "$T/more2/log.txt" "distances by the features of .*classifier/latest\.h5, [0-9a-f]{16}$"
export OMP_NUM_THREADS=3 # more than a rank has leaves
train 2 "$T/threads"
export OMP_NUM_THREADS=2
OMP_DYNAMIC=true train 1 "$T/leaves" # all threads are there nevertheless
train 1 "$T/more-leaves" "${MORE[@]}"
export OMP_NUM_THREADS=1
expect "there were 3 threads that share a leaf" says "$T/threads/log.txt" "^3 threads per rank, kernels"
expect "they give every dataset of one thread, in bits" same "$T/np1/$END" "$T/threads/$END"
expect "there were 2 threads with a leaf each" says "$T/leaves/log.txt" "^2 threads per rank, each with leaves of its own, kernels"
expect "they give every dataset of one thread, in bits" same "$T/np1/$END" "$T/leaves/$END"
expect "with more of everything, too" same "$T/more1/$END" "$T/more-leaves/$END"
[ -z "${SHORT-}" ] || exit 0

for threads in 1 3; do
    OMP_NUM_THREADS=$threads train 1 "$T/eight$threads" --set train.batch=8 --set train.steps=2
done
expect "3 threads take 8 leaves, in bits" same "$T/eight1/ckpt-00000002.h5" "$T/eight3/ckpt-00000002.h5"

for np in 1 "${SOME[@]}"; do train "$np" "$T/pairs$np" --set train.microbatch=2; done
for np in "${SOME[@]}"; do
    expect "two pairs to a leaf: $np ranks give every dataset of one, in bits" same "$T/pairs1/$END" "$T/pairs$np/$END"
done
DAGAN_ISA=generic train 1 "$T/generic"
expect "plain instructions come close" same "$T/np1/$END" "$T/generic/$END" --only ^/weights/ --close 1e-3
ranks 1 -x DAGAN_ISA=generic "$DAGAN" "${SMALL[@]}" --set run.dir="$T/mixed" : -np 1 "$DAGAN" "${SMALL[@]}" \
    --set run.dir="$T/mixed" >"$T/mixed.out" 2>"$T/mixed.err"
expect "ranks on different processors agree on the plainest" same "$T/generic/$END" "$T/mixed/$END"
expect "the checkpoint says which kernels ran" bash -c "h5dump -a /kernels '$T/generic/$END' | grep -q '\"generic'"
train 2 "$T/bucket" --set comm.bucket=0.01
expect "so do small messages" same "$T/np1/$END" "$T/bucket/$END"

# Another order of additions moves gradients by some 1e-7 of their size.  Adam divides by that size, so where a
# gradient is next to nothing, rounding decides the sign of a whole step.  Four steps move a network's weights by 1e-2 of
# their norm, and rounding by 2e-5 to 2e-4; a leaf left out or counted twice turns a good part of the movement.
train 3 "$T/mpi" --set comm.reduce=mpi
expect "comm.reduce mpi comes close" same "$T/np1/$END" "$T/mpi/$END" --only ^/weights/ --close 1e-3
expect "comm.reduce mpi gives close losses" same "$T/np1/$END" "$T/mpi/$END" --only ^/metrics/loss_ --close 5e-3
expect "comm.reduce mpi says that its bits are its own" says "$T/mpi/log.txt" "bits are this run's own"

train 3 "$T/three"
train 3 "$T/again"
expect "3 ranks repeat themselves in bits" same "$T/three/$END" "$T/again/$END"
expect "3 ranks say that their bits are their own" says "$T/three/log.txt" "3 ranks and 8 leaves.* bits are this run's own"
expect "3 ranks come close to one" same "$T/np1/$END" "$T/three/$END" --only ^/weights/ --close 1e-3
expect "2 ranks say no such thing" lacks "$T/np2/log.txt" "bits are this"

GROWN=(--set train.batch=2 --set train.steps=6 --set train.label_warmup=2 --set train.ema=0.5 --set train.rate_scaling=none
    --set checkpoint.every=2)
train 4 "$T/grown" "${GROWN[@]}"
train 1 "$T/asked" --set train.batch=4 --set train.steps=3 --set train.label_warmup=1 --set train.warmup=1 \
    --set train.ema=0.25
expect "more ranks than leaves: the batch grows and the log says so" \
    says "$T/grown/log.txt" "batch grown from 2 to 4 for 4 ranks: 3 steps see as many pairs, rates x 1$"
expect "the warm-up on labels shrinks with it" says "$T/grown/log.txt" "3 steps, the first 1 on labels alone"
expect "a grown batch is the batch one could have asked for" same "$T/grown/ckpt-00000003.h5" "$T/asked/ckpt-00000003.h5"
train 2 "$T/fewer" "${GROWN[@]}" --resume "$T/grown/ckpt-00000002.h5"
expect "a run that began with a grown batch keeps it on fewer ranks" \
    same "$T/grown/ckpt-00000003.h5" "$T/fewer/ckpt-00000003.h5"
expect "and says so" says "$T/fewer/log.txt" "batch grown from 2 to 4 when the run began"
train 8 "$T/more" "${GROWN[@]}" --resume "$T/grown/ckpt-00000002.h5"
expect "it grows no further: status 1" status_is 1 $?
expect "it grows no further: what is wanted is said" \
    says "$T/more.err" "the run to go on has 4 pairs per step, found 8 ranks, wanted at most 4"
train 4 "$T/refused" --set train.batch=2 --set train.grow=false
expect "train.grow false: status 1" status_is 1 $?
expect "train.grow false: what is wanted is said" says "$T/refused.err" "train.batch: found 2, wanted at least 4.*train.grow is false"
expect "train.grow false: no run directory is made" test ! -e "$T/refused"
