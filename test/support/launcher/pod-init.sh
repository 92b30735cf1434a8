#!/bin/sh
# PID 1 of the stand-in for a virt-launcher pod, in its own mount and pid namespace.
# Usage: pod-init.sh NODE_DIRECTORY POD_PATH [NODE_DIRECTORY POD_PATH]...
# Mounts the volumes in the order given, then runs libvirtd as virt-launcher runs virtqemud: session mode, uid 107,
# KubeVirt's configuration, started again whenever it ends.
set -eu

mount -t tmpfs -o mode=0755 tmpfs /run # Debian's /var/run is a symlink to it
while [ $# -ge 2 ]; do
  mkdir -p "$2"
  mount --bind "$1" "$2"
  shift 2
done

# A libvirt session needs its user in passwd.
printf 'root:x:0:0:root:/root:/bin/sh\nqemu:x:107:107:qemu:/run/kubevirt-private:/bin/sh\n' >/run/passwd
printf 'root:x:0:\nqemu:x:107:\n' >/run/group
mount --bind /run/passwd /etc/passwd
mount --bind /run/group /etc/group

# host_uuid: else two pods are one host to libvirt, which migrates nothing to itself.
printf 'listen_tls = 0\nlisten_tcp = 0\nauth_unix_rw = "none"\nlog_outputs = "1:stderr"\nhost_uuid = "%s"\n' \
  "$(cat /proc/sys/kernel/random/uuid)" >/run/libvirt/virtqemud.conf
# stdio_handler: there is no virtlogd here.
printf '%s\n' 'user = "qemu"' 'group = "qemu"' 'dynamic_ownership = 1' 'remember_owner = 0' 'namespaces = [ ]' \
  'cgroup_controllers = [ ]' 'stdio_handler = "file"' >/run/kubevirt-private/libvirt/qemu.conf

# Debian ships no virtqemud: the same driver in libvirtd, under the other name.
ln -s /usr/sbin/libvirtd /run/virtqemud
export HOME=/run/kubevirt-private XDG_RUNTIME_DIR=/run
export XDG_CONFIG_HOME=/run/kubevirt-private XDG_CACHE_HOME=/run/kubevirt-private
while :; do
  setpriv --reuid=107 --regid=107 --clear-groups --no-new-privs \
    /run/virtqemud -f /run/libvirt/virtqemud.conf &
  wait $! || true
  sleep 0.2
done
