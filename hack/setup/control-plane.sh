#!/usr/bin/env bash
# The control plane's binaries: etcd, kube-apiserver, kube-controller-manager, kubectl.
#   control-plane.sh           makes sure that they are there
#   control-plane.sh where     prints their directory, or fails and says what is missing; makes nothing
#   control-plane.sh lacks-go  is true where they are not there, and no Go that could build them
# They come from KUBEBUILDER_ASSETS if that is set; else from the cache; else they are built with Go from the module
# in test/tools (packages.sh installs a Go where there is none); else the official release binaries are downloaded.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/download.sh"

BINARIES=(etcd kube-apiserver kube-controller-manager kubectl)
TOOLS=$ROOT/test/tools
GO_NEEDED=$(sed -n 's/^go //p' "$TOOLS/go.mod")
. "$(dirname "$0")/go.sh"

KUBERNETES=$(module_version "$TOOLS/go.mod" k8s.io/kubernetes)
ETCD=$(module_version "$TOOLS/go.mod" go.etcd.io/etcd/server/v3)
HOME_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/tidemark/control-plane/$KUBERNETES-$(machine)
BIN=${KUBEBUILDER_ASSETS:-$HOME_DIR/bin}

# absent DIRECTORY: the binaries that are not there.
absent() {
  local name
  for name in "${BINARIES[@]}"; do [ -x "$1/$name" ] || printf '%s ' "$name"; done
}

# build GO DIRECTORY: from source. Go keeps what it has compiled, so a build that was interrupted goes on from there.
build() {
  local version=k8s.io/component-base/version part minor=${KUBERNETES#v1.}
  local flags="-s -w -X $version.gitVersion=$KUBERNETES -X $version.gitMajor=1 -X $version.gitMinor=${minor%%.*}"
  flags+=" -X $version.gitTreeState=clean"
  for part in go.etcd.io/etcd/server/v3 k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kubectl}; do
    with_progress "go build ${part##*/cmd/}" env CGO_ENABLED=0 "$1" build -C "$TOOLS" -v -trimpath -buildvcs=false \
      -mod=readonly -tags grpcnotrace -ldflags "$flags" -o "$2/" "$part" || return 1
  done
  mv "$2/server" "$2/etcd" # named after its package by go build
}

provide() {
  local staging go
  mkdir -p "$HOME_DIR"
  exec {lock}>"$HOME_DIR/lock"
  flock --nonblock "$lock" || with_progress 'another set-up builds the control plane; waiting for it' flock "$lock"
  [ -n "$(absent "$BIN")" ] || return 0
  rm -rf "$HOME_DIR"/incoming.* # left by a run that was killed: we hold the lock
  staging=$(mktemp -d "$HOME_DIR/incoming.XXXXXX")
  TIDY+=("$staging")
  if go=$(a_go) && with_progress "Go $GO_NEEDED or newer" "$go" list -C "$TOOLS" -m; then
    say "Kubernetes $KUBERNETES and etcd $ETCD are built from source once: some 8 minutes on 2 cores, 5 GB in Go's caches"
    build "$go" "$staging" || fail 'The control plane could not be built.' \
      "Set KUBEBUILDER_ASSETS to a directory with: ${BINARIES[*]}, or run this again."
  else
    say 'no usable Go: downloading the official binaries'
    download "$staging" "$KUBERNETES" "$ETCD" "$(machine)" || fail 'The control plane could not be downloaded.' \
      "Install Go $GO_NEEDED or newer to build it (from $GO_FETCHES on, Go fetches it, unless GOTOOLCHAIN is local)," \
      "or set KUBEBUILDER_ASSETS to a directory with: ${BINARIES[*]}"
  fi
  chmod 755 "$staging"
  rm -rf "$BIN"
  mv -T "$staging" "$BIN"
}

missing=$(absent "$BIN")
if [ -n "$missing" ] && [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  fail "KUBEBUILDER_ASSETS is $KUBEBUILDER_ASSETS, and there is no: $missing" \
    'Put them there, or unset KUBEBUILDER_ASSETS to have them built.'
fi
if [ "${1:-}" = where ]; then
  [ -z "$missing" ] || fail "The control plane is not there: $missing missing in $BIN" 'Run:  make setup'
  echo "$BIN"
  exit 0
fi
if [ "${1:-}" = lacks-go ]; then
  [ -n "$missing" ] && ! a_go >/dev/null
  exit
fi
[ -z "$missing" ] || provide
done_with control-plane "Kubernetes $KUBERNETES, etcd $ETCD"
