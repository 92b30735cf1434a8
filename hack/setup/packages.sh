#!/usr/bin/env bash
# Debian packages (packages.txt). Installs what is missing; asks apt nothing when all is there.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/backports.sh"
cd "$ROOT/hack/setup"

LIBVIRT_NEEDED=10.10.0 # the first libvirt whose domain XML knows <dataStore>

# rows [backports]: package names of packages.txt, all or only those marked.
rows() { sed 's/#.*//' "$ROOT/hack/setup/packages.txt" | awk -v mark="${1:-}" 'NF && (mark == "" || $2 == mark) {print $1}'; }

# Node's own npm is enough to begin with: `npm ci` brings the Node the project runs on.
wanted() {
  rows
  command -v npm >/dev/null || printf 'nodejs\nnpm\n'
}

# from_backports: those that Debian 12 itself has too old. Its Go 1.19 cannot fetch the Go that Kubernetes needs.
from_backports() {
  rows backports
  echo golang-go
}

# missing: wanted packages that are not installed, libvirt if it is too old, and Go if there is something to build.
missing() {
  local installed
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' 2>/dev/null | awk '$2 == "installed" {print $1}')
  wanted | grep -vxF "$installed" || true
  if libvirt_is_old; then rows backports; fi
  if ./control-plane.sh lacks-go 2>/dev/null || ./chart-tools.sh lacks-go 2>/dev/null || ./gitops-crds.sh lacks-go 2>/dev/null; then
    echo golang-go
  fi
}

libvirt_version() { dpkg-query -W -f='${Version}' libvirt-daemon 2>/dev/null || true; }

libvirt_is_old() {
  local version
  version=$(libvirt_version)
  [ -n "$version" ] && dpkg --compare-versions "$version" lt "$LIBVIRT_NEEDED"
}

# On a system without dpkg: the commands themselves must be there.
require_commands() {
  local command absent=''
  for command in qemu-system-x86_64 qemu-img qemu-nbd qemu-storage-daemon libvirtd virsh nbdinfo nbdcopy nbdkit jq openssl setpriv unshare nsenter flock lua5.1 npm; do
    PATH=$PATH:/usr/sbin command -v "$command" >/dev/null || absent+=" $command"
  done
  [ -z "$absent" ] || fail "These commands are missing:$absent" \
    "The set-up installs packages only on Debian and its relatives. Install QEMU, libvirt $LIBVIRT_NEEDED or newer," \
    "libnbd, nbdkit, jq, OpenSSL, util-linux and Node.js with your system's package manager, then run this again."
  done_with packages 'not Debian: every command is there'
}

# install SUITE PACKAGE...: SUITE may be empty, for apt's own choice.
install() {
  local suite=$1
  shift
  say "installing: $*"
  with_progress "apt-get install${suite:+ from $suite}" env DEBIAN_FRONTEND=noninteractive apt-get install -y \
    --no-install-recommends -o DPkg::Lock::Timeout=300 ${suite:+-t "$suite"} "$@"
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  require_commands
  exit 0
fi

absent=$(missing | sort -u)
if [ -z "$absent" ]; then
  done_with packages "$(wanted | wc -l) Debian packages, libvirt $(libvirt_version)"
  exit 0
fi
# shellcheck disable=SC2086 # one word each
[ "$(id -u)" = 0 ] || fail "Debian packages are missing, and only root can install them:" $absent "" \
  "Run:  sudo make packages"

# A run that was interrupted may have left packages unpacked and not yet configured.
[ -z "$(dpkg --audit)" ] || with_progress 'dpkg --configure -a' env DEBIAN_FRONTEND=noninteractive dpkg --configure -a
with_progress 'apt-get update' apt-get update -o DPkg::Lock::Timeout=300 || say 'going on with the lists that are there'
suite=$(backports_suite)
[ -z "$suite" ] || offer_backports "$suite"
mapfile -t newer < <(grep -xF "$(from_backports)" <<<"$absent" || true)
mapfile -t plain < <(grep -vxF "$(from_backports)" <<<"$absent" || true)
[ "${#newer[@]}" -eq 0 ] || install "$suite" "${newer[@]}"
[ "${#plain[@]}" -eq 0 ] || install '' "${plain[@]}"

# A Go that is still too old is for control-plane.sh to judge: it has another way.
absent=$(missing | sort -u | grep -vxF golang-go | tr '\n' ' ' || true)
[ -z "$absent" ] || fail "After the installation these packages are still missing or too old: $absent" \
  "libvirt is $(libvirt_version), and $LIBVIRT_NEEDED or newer is needed."
done_with packages "installed; libvirt $(libvirt_version)"
