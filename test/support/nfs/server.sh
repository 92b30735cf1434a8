#!/bin/bash
# The kernel's NFS server, in a network namespace of its own beside the client, inside the guest.
#   server.sh up                  network, exports, server; returns when it listens
#   server.sh stop | start        as a crash and a reboot: sockets closed, opens and locks forgotten
#   server.sh withdraw | restore  the export /export: every call on it then fails with ESTALE
#   slow | fast                   each packet to it takes 100 ms, and three megabytes a second
#   hang | answer                 packets to it are lost, and no more: connections stay open
#   break-later | break | mend    the export /broken: on a disk of its own, of which no new block can be written any more, or again
# Exports: /export (192 MiB), /small (8 MiB), /readonly. 10.99.0.1 is the server, 10.99.0.2 the client, and 10.99.0.9 a
# black hole: packets to it are sent, and nobody takes them.
set -e
SERVER=10.99.0.1

inside() { nsenter -t "$(cat /run/nfs-server.pid)" -m -n "$@"; }

network() {
  ip link set lo up
  modprobe veth
  ip netns add server
  ip link add client type veth peer name server netns server
  ip addr add 10.99.0.2/24 dev client
  ip link set client up
  ip -n server link set lo up
  ip -n server addr add $SERVER/24 dev server
  ip -n server link set server up
  ip neigh replace 10.99.0.9 lladdr 02:00:00:00:00:09 dev client nud permanent
}

# On tmpfs, for overlayfs cannot be exported; the root of the exports (fsid=0) included.
exports() {
  mkdir -p /srv
  mount -t tmpfs -o size=8M tmpfs /srv
  mkdir /srv/export /srv/small /srv/readonly /srv/broken
  mount -t tmpfs -o size=192M tmpfs /srv/export
  mount -t tmpfs -o size=8M tmpfs /srv/small
  mount -t tmpfs -o size=8M tmpfs /srv/readonly
  chown 107 /srv/export /srv/small /srv/readonly # the agent's: root's rights end at root_squash, the default
  mkdir -p /etc/exports.d
  cat >/etc/exports <<EXPORTS
/srv *(ro,fsid=0,no_subtree_check,insecure)
/srv/export *(rw,fsid=1,no_subtree_check,insecure,sync)
/srv/small *(rw,fsid=2,no_subtree_check,insecure,sync)
/srv/broken *(rw,fsid=4,no_subtree_check,insecure,sync)
/srv/readonly *(ro,fsid=3,no_subtree_check,insecure,sync)
EXPORTS
}

# nfsdcld remembers the clients of a stopped server; without it each start waits for them for a grace period.
daemons() {
  modprobe nfsd
  modprobe nfsv4
  mkdir -p /var/lib/nfs/{v4recovery,rpc_pipefs,nfsdcld}
  # shellcheck disable=SC2016 # for the inner shell
  setsid ip netns exec server unshare -m bash -c 'mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
    mount -t nfsd nfsd /proc/fs/nfsd; nfsdcld; exportfs -r; rpc.mountd -N 2 -N 3; echo $$ >/run/nfs-server.pid; exec sleep infinity' \
    </dev/null &>/run/nfs-server.log &
  until [ -s /run/nfs-server.pid ]; do sleep 0.05; done
}

start() { inside rpc.nfsd -N 3 -V 4.2 --no-udp -G 10 -L 10 4; }

listening() { (: </dev/tcp/$SERVER/2049) 2>/dev/null; }

# A sparse image: a new block of the disk is a new page of the tmpfs, of which there are none when that is full. No journal, which
# would make the file system read-only at the first error.
disk() {
  modprobe loop
  modprobe ext4
  mkdir -p /run/disk
  mount -t tmpfs -o size=64M tmpfs /run/disk
  truncate -s 128M /run/disk/image
  mkfs.ext4 -q -O ^has_journal -E nodiscard /run/disk/image
  losetup /dev/loop0 /run/disk/image
  inside mount -o errors=continue /dev/loop0 /srv/broken
  inside chown 107 /srv/broken
  inside exportfs -r
}

case $1 in
  up)
    network
    exports
    daemons
    start
    until listening; do sleep 0.05; done
    ;;
  start) start ;;
  stop) inside rpc.nfsd 0 ;;
  slow) tc qdisc add dev client root netem delay 100ms rate 24mbit limit 10000 ;;
  fast) tc qdisc del dev client root ;;
  hang) ip neigh replace $SERVER lladdr 02:00:00:00:00:09 dev client nud permanent ;;
  answer) ip neigh del $SERVER dev client ;;
  break-later) disk ;;
  break) head -c 64M /dev/zero >/run/disk/fill 2>/dev/null || true ;;
  mend) rm -f /run/disk/fill ;;
  withdraw) inside exportfs -u '*:/srv/export' ;;
  restore) inside exportfs -r ;;
  *) exit 2 ;;
esac
