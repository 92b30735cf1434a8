#!/usr/bin/env bash
# A fresh machine becomes one that can run the tests and the demo. Every step looks first whether its work is done,
# so the second run costs less than a second.
. "$(dirname "$0")/lib.sh"

cd "$ROOT/hack/setup"
./packages.sh
./npm.sh
./control-plane.sh
./chart-tools.sh
./gitops-crds.sh
./nfs.sh
./linux-guest.sh
