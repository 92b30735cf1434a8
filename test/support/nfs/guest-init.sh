#!/bin/bash
# Process 1 of the guest. Its root becomes an overlay: a tmpfs over the NFS packages over the host's own root, read-only.
# So the guest runs the host's Node and this tree, and whatever it writes is gone when it ends. Only $OUT, on the host,
# is written through. Runs $PROGRAM with $NODE, leaves its exit status in $OUT/status, and switches the guest off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C
mount -t proc proc /proc
mount -t tmpfs -o size=75% tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root /mnt/packages
"$SYSTEM/usr/bin/busybox" insmod "$SYSTEM/usr/lib/uml/modules/$(uname -r)/kernel/fs/overlayfs/overlay.ko"
mount -t hostfs none -o "$SYSTEM" /mnt/packages # a mount of its own: overlayfs refuses layers that overlap
mount -t overlay overlay -o lowerdir=/mnt/packages:/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
cd /mnt/root || exit
mkdir -p host-root out
mount --bind /dev dev
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs tmpfs run
mount -t hostfs none -o "$OUT" out
pivot_root . host-root # and no chroot: ip netns, nsenter and mount want a true root
cd /
"$NODE" "$PROGRAM" </dev/null >/out/log 2>&1
echo $? >/out/status
busybox poweroff -f
