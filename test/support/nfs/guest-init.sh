#!/bin/bash
# Process 1 of the guest. Its root becomes an overlay: a tmpfs over the NFS packages over the host's own root, read-only.
# So the guest runs the host's Node and this tree, and whatever it writes is gone when it ends. Only $OUT, on the host,
# is written through. Runs $PROGRAM with $NODE, with the agent's rights and no others, leaves its exit status in $OUT/status, and switches the guest off.
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

# As in the image: what may use the agent's CAP_SYS_ADMIN, and the table of mounts.
chown 0:0 /usr/sbin/mount.nfs
chmod u+s /usr/bin/mount /usr/sbin/mount.nfs
setcap cap_sys_admin=ep /usr/bin/unshare
mkdir /mnt/tidemark
echo "$TABLE" >/mnt/tidemark/fstab
ln -sf /mnt/tidemark/fstab /etc/fstab

cp "$RIG/mount.cifs" /usr/sbin/mount.cifs

# The server is root's. The program asks for what it shall do.
mkfifo -m 666 /run/ask /run/answer
while read -r what </run/ask; do
  "$RIG/server.sh" "$what" >&2
  echo $? >/run/answer
done &

# As the agent's container. Node and /out may be root's alone.
touch /usr/local/bin/node
mount --bind "$NODE" /usr/local/bin/node
chmod 777 /out
as_agent=(setpriv --reuid=107 --regid=0 --clear-groups --inh-caps=-all --bounding-set=-all,+sys_admin)
"${as_agent[@]}" /usr/local/bin/node "$PROGRAM" </dev/null >/out/log 2>&1
echo $? >/out/status
busybox poweroff -f
