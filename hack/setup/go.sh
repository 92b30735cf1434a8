# shellcheck shell=bash
# Building with Go what no Debian package has. Sourced after lib.sh by those who build; never run.
# Expects GO_NEEDED: the version that the go.mod at hand asks for.

GO_FETCHES=1.21 # from here on, a Go fetches the newer one that a module asks for, unless GOTOOLCHAIN=local forbids it
PATH=$PATH:/usr/local/go/bin # where Go's own archive is unpacked; sudo and cron do not look there

machine() {
  case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64 | arm64) echo arm64 ;;
    *) uname -m ;;
  esac
}

# can_become GO: is this Go new enough for test/tools, or new enough to fetch one that is? Asks nothing of the network.
can_become() {
  local least=$GO_FETCHES version
  cd / # away from any go.mod that would decide the version
  [ "$("$1" env GOTOOLCHAIN)" != local ] || least=$GO_NEEDED
  version=$(GOTOOLCHAIN=local "$1" env GOVERSION)
  printf '%s\n' "$least" "${version#go}" | sort --check=quiet --version-sort
}

# a_go: the first on PATH that will do.
a_go() {
  local go
  for go in $(type -ap go); do if (can_become "$go") 2>/dev/null; then echo "$go" && return; fi; done
  return 1
}

# module_version FILE MODULE: as this go.mod requires it.
module_version() { awk -v m="$2" '$1 == m && $2 ~ /^v/ {print $2; exit}' "$1"; }
