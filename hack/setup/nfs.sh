#!/usr/bin/env bash
# What the NFS tests boot: a user-mode Linux kernel and the NFS tools, unpacked into the cache. Nothing is installed,
# nothing is started, and no root is needed.
#   nfs.sh         makes sure that it is there
#   nfs.sh where   prints its directory, or fails and says what is missing; makes nothing
. "$(dirname "$0")/lib.sh"

PACKAGES=(user-mode-linux nfs-common nfs-kernel-server kmod busybox-static iproute2)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/tidemark/nfs-rig
SYSTEM=$CACHE/system-1 # a new number when the list of packages or the layout changes

# unpack DEB DIRECTORY: in the merged-/usr layout, whatever the package's own is: /bin of the guest is a link.
unpack() {
  local deb=$1 into=$2 part content=$2.one
  mkdir "$content"
  dpkg -x "$deb" "$content"
  for part in bin sbin lib; do
    [ -d "$content/$part" ] || continue
    mkdir -p "$content/usr/$part"
    cp -a "$content/$part/." "$content/usr/$part/"
    rm -r "${content:?}/$part"
  done
  cp -a "$content/." "$into/"
  rm -r "$content"
}

# needed: PACKAGES, and of what they depend on all that this machine lacks. The guest sees the rest on the host.
needed() {
  printf '%s\n' "${PACKAGES[@]}"
  apt-get install --simulate --no-install-recommends "${PACKAGES[@]}" | awk '$1 == "Inst" {print $2}'
}

# fetch: what is needed, of this machine's own Debian, into the current directory.
fetch() {
  local packages
  packages=$(needed | sort -u) || return 1
  # shellcheck disable=SC2086 # one word each
  with_progress 'apt-get download (user-mode-linux, NFS tools; 45 MB)' apt-get download $packages
}

refreshed() { [ "$(id -u)" = 0 ] && with_progress 'apt-get update' apt-get update && fetch; }

# is_possible: Debian builds user-mode Linux for x86 only.
is_possible() { [ "$(uname -m)" = x86_64 ] && command -v apt-get >/dev/null && command -v dpkg >/dev/null; }

provide() {
  local staging deb modules
  mkdir -p "$CACHE"
  exec {lock}>"$CACHE/lock"
  flock --nonblock "$lock" || with_progress 'another set-up unpacks the NFS rig; waiting for it' flock "$lock"
  [ ! -d "$SYSTEM" ] || return 0
  rm -rf "$CACHE"/incoming.* # left by a run that was killed: we hold the lock
  staging=$(mktemp -d "$CACHE/incoming.XXXXXX")
  TIDY+=("$staging")
  mkdir -p "$staging/debs" "$staging/system"
  cd "$staging/debs"
  # apt may never have been asked on a fresh machine, or so long ago that the mirror has moved on.
  fetch || refreshed || fail 'The packages of the NFS tests could not be downloaded.' \
    'Run  apt-get update  as root, then run this again.'
  for deb in *.deb; do unpack "$deb" "$staging/system"; done
  cd "$staging/system"
  chmod u-s usr/sbin/mount.nfs # unpacked by a user, it would become that user in the guest
  mkdir -p usr/lib/modules     # where modprobe looks
  for modules in usr/lib/uml/modules/*; do ln -s "../uml/modules/${modules##*/}" "usr/lib/modules/${modules##*/}"; done
  chmod 755 .
  mv -T "$staging/system" "$SYSTEM"
}

if [ "${1:-}" = where ]; then
  [ -d "$SYSTEM" ] || fail "The kernel and the tools of the NFS tests are not there: $SYSTEM" 'Run:  make setup'
  echo "$SYSTEM"
  exit 0
fi
if [ ! -d "$SYSTEM" ] && ! is_possible; then
  say 'no NFS rig: it needs Debian on x86-64, whose package user-mode-linux holds the kernel. test/qemu/nfs.test.ts will fail.'
  exit 0
fi
[ -d "$SYSTEM" ] || provide
done_with nfs "user-mode Linux and the NFS tools in ${SYSTEM/#"$HOME"/\~}"
