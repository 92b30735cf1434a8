#!/bin/busybox sh
# PID 1 of the Linux guest: mounts its disk, starts the guest agent, and writes files for ever. Each file is told of on the console
# when it and its name are on the disk for good: what was told of before a backup must be in the backup.
/bin/busybox --install -s /bin
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/lib/modules/$module.ko"; done </lib/modules/order
until [ -b /dev/vda ]; do usleep 50000; done
mount -t ext4 /dev/vda /data || exec poweroff -f
port=
until [ -n "$port" ]; do
  for at in /sys/class/virtio-ports/*; do
    [ "$(cat "$at/name" 2>/dev/null)" = org.qemu.guest_agent.0 ] && port=/dev/${at##*/}
  done
  usleep 50000
done
qemu-ga --method=virtio-serial --path="$port" --daemonize --pidfile=/run/qemu-ga.pid
echo guest: up
number=0
while :; do
  number=$((number + 1))
  yes "$number" | dd of="/data/file-$number" bs=4096 count=8 iflag=fullblock conv=fsync 2>/dev/null
  sync
  echo "guest: $number"
  usleep 100000
done
