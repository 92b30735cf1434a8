# shellcheck shell=bash
# What every setup step shares: the root of the tree, one line for each step, and progress while a step is long.
# Sourced, never run.

set -euo pipefail

# shellcheck disable=SC2034 # for those who source this
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export LC_ALL=C

# Seconds since this step's script began, with one decimal.
elapsed() {
  local now=${EPOCHREALTIME/[.,]/}
  local tenths=$(((now - STARTED) / 100000))
  printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}
STARTED=${EPOCHREALTIME/[.,]/}

# done_with NAME WHAT: the one line that a finished step leaves.
done_with() { printf '  ✓ %-15s %s (%s)\n' "$1" "$2" "$(elapsed)"; }

# say TEXT: what is going on, for a step that takes long.
say() { printf '    %s\n' "$*"; }

# fail TEXT...: what is missing and what to do about it, a line each; the set-up ends here.
fail() {
  printf '\n  ✗ %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '    %s\n' "$line" >&2; done
  exit 1
}

# Paths that must not outlive this script, however it ends (short of SIGKILL).
TIDY=()
trap 'rm -rf "${TIDY[@]}"' EXIT

# with_progress WHAT COMMAND...: runs the command with its output in a log, and says every few seconds for how long
# it has run and what it printed last. The command stays in the foreground, so that Ctrl-C reaches it. When it
# fails, the beginning and the end of its log are shown and its exit status returned.
with_progress() {
  local what=$1 log status=0 ticker
  shift
  log=$(mktemp -t tidemark-setup.XXXXXX)
  TIDY+=("$log")
  say "$what …"
  tick "$what" "$log" $$ &
  ticker=$!
  "$@" >"$log" 2>&1 </dev/null || status=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  [ ! -t 1 ] || printf '\r\033[K'
  if [ "$status" -ne 0 ]; then
    printf '\n  ✗ %s failed with exit status %d after %s:\n' "$what" "$status" "$(elapsed)" >&2
    ends "$log" | sed 's/^/    | /' >&2
  fi
  rm -f "$log"
  return "$status"
}

# ends FILE: its first and its last lines. Some tools say first what went wrong, others last.
ends() {
  awk '{ line[NR] = $0 } END {
    for (i = 1; i <= NR; i++) if (i <= 12 || i > NR - 25) print line[i]; else if (i == 13) print "…"
  }' "$1"
}

# tick WHAT LOG PARENT: the voice of with_progress. Ends by itself when the parent is gone. On a terminal it keeps
# to one line; in a log it adds one now and then.
tick() {
  local what=$1 log=$2 parent=$3 pause=5 never last
  [ ! -t 1 ] || pause=1
  exec {never}<> <(:) # a pause without a child: `sleep` would outlive us and hold our output open
  while kill -0 "$parent" 2>/dev/null; do
    read -rt "$pause" -u "$never" || true
    last=$(tail -n 1 "$log" 2>/dev/null | tr -d '\r' | cut -c 1-90)
    if [ -t 1 ]; then
      printf '\r\033[K    %s: %s%s' "$what" "$(elapsed)" "${last:+, $last}"
    else
      say "$what: $(elapsed)${last:+, $last}"
    fi
  done
}
