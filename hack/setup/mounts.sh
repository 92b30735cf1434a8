#!/usr/bin/env bash
# Demo and tests give every stand-in for a node mounts of its own, and only root may. Asked before anything that takes
# minutes; leaves nothing, and says nothing if all is well.
. "$(dirname "$0")/lib.sh"

command -v unshare >/dev/null || exit 0 # the packages come next, and name it
why=$(unshare --mount true 2>&1) || fail "A mount namespace is needed, and this user cannot make one (${why:-no reason given})." \
  'The demo and the tests run as root:  sudo make demo  or  sudo make test' \
  'In a container, root needs CAP_SYS_ADMIN as well.'
