#!/usr/bin/env bash
# What the tests boot as a guest: Debian's kernel for virtual machines, busybox and qemu-guest-agent, put together into the root
# of an initial RAM disk in the cache. Nothing is installed, nothing is started, and no root is needed.
#   linux-guest.sh         makes sure that it is there
#   linux-guest.sh where   prints its directory, or fails and says what is missing; makes nothing
. "$(dirname "$0")/lib.sh"

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/tidemark/linux-guest
SYSTEM=$CACHE/system-1 # a new number when what is in it changes
MODULES=(virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk virtio_console) # in this order

# fetch: the packages, of this machine's own Debian, into the current directory.
fetch() {
  local kernel
  kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '$1 == "Depends:" && $2 ~ /^linux-image/ {print $2}')
  [ -n "$kernel" ] || return 1
  with_progress 'apt-get download (a kernel, busybox, qemu-guest-agent; 28 MB)' \
    apt-get download "$kernel" qemu-guest-agent busybox-static
}

refreshed() { [ "$(id -u)" = 0 ] && with_progress 'apt-get update' apt-get update && fetch; }

is_possible() { [ "$(uname -m)" = x86_64 ] && command -v apt-get >/dev/null && command -v dpkg >/dev/null; }

# assemble UNPACKED INTO: the kernel, and a root directory that lacks nothing but /init.
assemble() {
  local from=$1 into=$2 root=$2/root module library
  mkdir -p "$root"/{bin,sbin,lib64,lib/modules,dev,proc,sys,run,tmp,data,usr/lib,var/run,etc}
  cp "$from"/boot/vmlinuz-* "$into/vmlinuz"
  cp "$(find "$from" -path '*/bin/busybox' -type f)" "$root/bin/busybox"
  cp "$from/usr/sbin/qemu-ga" "$root/sbin/qemu-ga"
  for module in "${MODULES[@]}"; do
    find "$from" -name "$module.ko" -exec cp {} "$root/lib/modules/" \;
    printf '%s\n' "$module" >>"$root/lib/modules/order"
  done
  # Its libraries come from this machine: QEMU, which the tests need anyway, is linked with the same ones.
  ldd "$root/sbin/qemu-ga" | grep -q 'not found' && fail 'qemu-guest-agent lacks a library here' "$(ldd "$root/sbin/qemu-ga")"
  while read -r library; do cp --parents -L "$library" "$root"; done < <(ldd "$root/sbin/qemu-ga" | grep -o '/[^ ]*')
  chmod -R a+rX "$into"
}

provide() {
  local staging deb
  mkdir -p "$CACHE"
  exec {lock}>"$CACHE/lock"
  flock --nonblock "$lock" || with_progress 'another set-up makes the Linux guest; waiting for it' flock "$lock"
  [ ! -d "$SYSTEM" ] || return 0
  rm -rf "$CACHE"/incoming.* # left by a run that was killed: we hold the lock
  staging=$(mktemp -d "$CACHE/incoming.XXXXXX")
  TIDY+=("$staging")
  mkdir -p "$staging"/{debs,unpacked,system}
  cd "$staging/debs"
  fetch || refreshed || fail 'The packages of the Linux guest could not be downloaded.' \
    'Run  apt-get update  as root, then run this again.'
  for deb in *.deb; do dpkg -x "$deb" "$staging/unpacked"; done
  assemble "$staging/unpacked" "$staging/system"
  mv -T "$staging/system" "$SYSTEM"
}

if [ "${1:-}" = where ]; then
  [ -d "$SYSTEM" ] || fail "The Linux guest of the tests is not there: $SYSTEM" 'Run:  make setup'
  echo "$SYSTEM"
  exit 0
fi
if [ ! -d "$SYSTEM" ] && ! is_possible; then
  say 'no Linux guest: it needs Debian on x86-64. test/e2e/linux-guest.test.ts will fail.'
  exit 0
fi
[ -d "$SYSTEM" ] || provide
done_with linux-guest "a kernel, busybox and qemu-guest-agent in ${SYSTEM/#"$HOME"/\~}"
