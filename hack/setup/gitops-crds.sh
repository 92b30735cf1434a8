#!/usr/bin/env bash
# The CRDs of Flux and Argo CD that the samples in deploy/gitops are tried against, fetched once into the cache as Go modules.
#   gitops-crds.sh           makes sure that they are there
#   gitops-crds.sh where     prints their directory, or fails and says what is missing; makes nothing
#   gitops-crds.sh lacks-go  is true where they are not there, and no Go that could fetch them
. "$(dirname "$0")/lib.sh"

GO_NEEDED=1.21
. "$(dirname "$0")/go.sh"

PINS=$ROOT/test/tools/gitops-crds.txt
HOME_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/tidemark/gitops-crds
CRDS=$HOME_DIR/$(sha256sum "$PINS" | cut -c 1-12)

# fetch GO DIRECTORY: the pins say what a module must be, so nobody else is asked.
fetch() {
  local module version sum file told
  while read -r module version sum file; do
    told=$(cd "$2" && GOSUMDB=off GOFLAGS='' "$1" mod download -json "$module@$version")
    grep --quiet --fixed-strings "\"Sum\": \"$sum\"" <<<"$told" || fail "$module $version is not what $PINS says" "$told"
    cp "$(sed -n 's/.*"Dir": "\(.*\)".*/\1/p' <<<"$told")/$file" "$2/"
  done < <(grep -v '^#' "$PINS")
  chmod -R u+w "$2"
}

if [ "${1:-}" = where ]; then
  [ -d "$CRDS" ] || fail "the CRDs of Flux and Argo CD are not there: no $CRDS" 'Run:  make setup'
  echo "$CRDS"
  exit 0
fi
if [ "${1:-}" = lacks-go ]; then
  [ ! -d "$CRDS" ] && ! a_go >/dev/null
  exit
fi
if [ ! -d "$CRDS" ]; then
  mkdir -p "$HOME_DIR"
  staging=$(mktemp -d "$HOME_DIR/incoming.XXXXXX")
  TIDY+=("$staging")
  go=$(a_go) || fail 'The CRDs of Flux and Argo CD are fetched with Go, and there is none that will do.' "Install Go $GO_NEEDED or newer."
  fetch "$go" "$staging"
  chmod 755 "$staging"
  # Another set-up may have been quicker: then its directory is as good.
  mv -T "$staging" "$CRDS" 2>/dev/null || [ -d "$CRDS" ] || fail "$CRDS could not be made"
fi
done_with gitops-crds "$(grep -vc '^#' "$PINS") CRDs of Flux and Argo CD"
