#!/usr/bin/env bash
# What judges the chart: helm, kubeconform, and the CRDs of the Prometheus operator. Built once into the cache with Go, from the
# module in test/tools/charts.
#   chart-tools.sh           makes sure that they are there
#   chart-tools.sh where     prints their directory, or fails and says what is missing; makes nothing
#   chart-tools.sh lacks-go  is true where they are not there, and no Go that could build them
. "$(dirname "$0")/lib.sh"

TOOLS=$ROOT/test/tools/charts
# shellcheck disable=SC2034 # for go.sh
GO_NEEDED=$(sed -n 's/^go //p' "$TOOLS/go.mod")
. "$(dirname "$0")/go.sh"

OPERATOR=github.com/prometheus-operator/prometheus-operator
HELM=$(module_version "$TOOLS/go.mod" helm.sh/helm/v4)
KUBECONFORM=$(module_version "$TOOLS/go.mod" github.com/yannh/kubeconform)
CRDS=$(module_version "$TOOLS/go.mod" $OPERATOR)
HOME_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/tidemark/chart-tools
BIN=$HOME_DIR/helm-$HELM-kubeconform-$KUBECONFORM-crds-$CRDS-$(machine)

# build GO DIRECTORY
build() {
  local part crds
  for part in helm.sh/helm/v4/cmd/helm github.com/yannh/kubeconform/cmd/kubeconform; do
    with_progress "go build ${part##*/}" env CGO_ENABLED=0 "$1" build -C "$TOOLS" -trimpath -buildvcs=false \
      -mod=readonly -ldflags '-s -w' -o "$2/" "$part" || return 1
  done
  crds=$("$1" -C "$TOOLS" mod download -json "$OPERATOR" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')/example/prometheus-operator-crd
  mkdir "$2/crds"
  cp "$crds"/monitoring.coreos.com_{servicemonitors,prometheusrules}.yaml "$2/crds/"
  chmod -R u+w "$2/crds"
}

if [ "${1:-}" = where ]; then
  [ -d "$BIN" ] || fail "helm and kubeconform are not there: no $BIN" 'Run:  make setup'
  echo "$BIN"
  exit 0
fi
if [ "${1:-}" = lacks-go ]; then
  [ ! -d "$BIN" ] && ! a_go >/dev/null
  exit
fi
if [ ! -d "$BIN" ]; then
  mkdir -p "$HOME_DIR"
  exec {lock}>"$HOME_DIR/lock"
  flock --nonblock "$lock" || with_progress 'another set-up builds helm; waiting for it' flock "$lock"
fi
if [ ! -d "$BIN" ]; then
  rm -rf "$HOME_DIR"/incoming.* # left by a run that was killed: we hold the lock
  staging=$(mktemp -d "$HOME_DIR/incoming.XXXXXX")
  TIDY+=("$staging")
  go=$(a_go) || fail 'helm and kubeconform are built with Go, and there is none that will do.' \
    "Install Go $GO_NEEDED or newer (from 1.21 on, Go fetches it)."
  say "helm $HELM and kubeconform $KUBECONFORM are built from source once: some 4 minutes on 2 cores"
  build "$go" "$staging" || fail 'helm and kubeconform could not be built.' 'Run this again: Go goes on from where it was.'
  chmod 755 "$staging"
  mv -T "$staging" "$BIN"
fi
done_with chart-tools "helm $HELM, kubeconform $KUBECONFORM"
