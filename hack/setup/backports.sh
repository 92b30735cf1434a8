# shellcheck shell=bash
# Debian's backports suite, written beside the Debian source that is there already: the same address, the same key,
# the same options, so that a mirror or a proxy the machine was given is used here too. Sourced by packages.sh.

# backports_suite: the suite the newer packages come from; nothing where the release's own are new enough.
backports_suite() {
  local id version_codename
  id=$(. /etc/os-release && echo "${ID:-}")
  version_codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  [ "$id" != debian ] || [ "$version_codename" != bookworm ] || echo bookworm-backports
}

# apt_sources: "FILE:ENTRY|SUITE|COMPONENT|ORIGIN" for each index apt knows. ENTRY is the paragraph of a .sources
# file, the line of a .list file.
apt_sources() {
  # shellcheck disable=SC2016 # apt expands these, not the shell
  apt-get indextargets --format '$(SOURCESENTRY)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)' 'Created-By: Packages'
}

# offer_backports SUITE: makes apt know the suite, unless a source offers it.
offer_backports() {
  local suite=$1 release=${1%-backports} sources entry file
  sources=$(apt_sources)
  ! grep -qF "|$suite|main|" <<<"$sources" || return 0
  entry=$(awk -F'|' -v r="$release" '$2 == r && $3 == "main" && $4 == "Debian" {print $1; exit}' <<<"$sources")
  [ -n "$entry" ] || fail "apt has no Debian source for $release main, so none can be derived for $suite." \
    "Add a source for $suite by hand, then run this again."
  file=${APT_PARTS:-/etc/apt/sources.list.d}/tidemark-backports
  case $entry in
    *.sources:*) file+=.sources && paragraph_for "$suite" "${entry%:*}" "${entry##*:}" >"$file" ;;
    *) file+=.list && line_for "$suite" "${entry%:*}" "${entry##*:}" >"$file" ;;
  esac
  say "wrote $file, after ${entry%:*}"
  if with_progress "apt-get update ($suite)" apt-get update --error-on=any -o DPkg::Lock::Timeout=300 \
    -o Dir::Etc::sourcelist="$file" -o Dir::Etc::sourceparts=/dev/null -o APT::Get::List-Cleanup=0; then return; fi
  rm -f "$file"
  fail "The Debian source of this machine (${entry%:*}) does not carry $suite." \
    "Add a source for $suite by hand, then run this again."
}

# paragraph_for SUITE FILE N: the Nth paragraph of a .sources file, for another suite.
paragraph_for() {
  grep -v '^#' "$2" | awk -v RS='' -v n="$3" 'NR == n' | awk -v suite="$1" '
    /^[^ \t]/ { field = tolower($1); skip = 0 }
    field == "types:" { if (!skip++) print "Types: deb"; next }
    field == "suites:" { if (!skip++) print "Suites: " suite; next }
    field == "components:" { if (!skip++) print "Components: main"; next }
    { print }'
}

# line_for SUITE FILE N: the Nth line of a .list file, for another suite.
line_for() {
  sed -nE "$3 s/^[[:space:]]*deb[[:space:]]+((\[[^]]*\][[:space:]]*)?[^[:space:]]+)[[:space:]].*/deb \1 $1 main/p" "$2"
}
