# Several hosts on one machine: network namespaces on a bridge, each with a host name of its own.
# All of it lives in private namespaces for processes, mounts, network and names.  Nothing is seen from outside, and the
# kernel takes everything down when the script ends, however it ends.
# shellcheck shell=bash

# alone SCRIPT [ARGS...]: returns inside the private namespaces; outside it runs SCRIPT there and exits with its status.
# Inside, $T is a folder in memory.
alone() {
    if [ "${DAGAN_ALONE:-}" ]; then
        furnish
        return
    fi
    [ "$(id -u)" = 0 ] || { echo "$1: found user $(id -un), wanted root: it makes network namespaces" >&2; exit 1; }
    local private=(--mount --pid --fork --kill-child --mount-proc --net --uts --ipc)
    unshare "${private[@]}" true || { echo "$1: this machine or container allows no namespaces of one's own" >&2; exit 1; }
    # The innermost dies with unshare, unshare with this shell.
    trap 'kill -KILL "$child" 2>/dev/null; exit 143' INT TERM HUP
    DAGAN_ALONE=1 setpriv --pdeathsig KILL unshare "${private[@]}" bash "$@" &
    child=$!
    wait "$child"
    exit
}

# Private /run, /dev/shm and names, and the bridge that joins the hosts.
furnish() {
    mount -t tmpfs -o mode=755 none /run
    mount -t tmpfs none /dev/shm
    T=/run/dagan
    mkdir -p "$T" /run/uts /run/sshd
    export OMPI_MCA_orte_tmpdir_base=$T
    mount --make-private /run   # or the names of /run/uts could not be kept
    echo "127.0.0.1 localhost" >"$T/hosts"
    [ -e /etc/hosts ] || touch /etc/hosts   # a bare machine may have none to be covered
    mount --bind "$T/hosts" /etc/hosts
    ip link set lo up
    ip link add br0 type bridge
    ip link set br0 up
}

# host NAME ADDRESS: a host NAME with 10.78.0.ADDRESS.
host() {
    ip netns add "$1"
    ip -n "$1" link set lo up
    ip link add eth0 netns "$1" type veth peer name "$1"
    ip -n "$1" addr add "10.78.0.$2/24" dev eth0
    ip -n "$1" link set eth0 up
    ip link set "$1" master br0
    ip link set "$1" up
    touch "/run/uts/$1"
    unshare --uts="/run/uts/$1" hostname "$1"
    echo "10.78.0.$2 $1" >>/etc/hosts
}

# on NAME COMMAND...: runs it on that host.
on() {
    local name=$1
    shift
    nsenter --net="/run/netns/$name" --uts="/run/uts/$name" "$@"
}
