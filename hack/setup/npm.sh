#!/usr/bin/env bash
# npm packages, exactly as package-lock.json says; among them the Node that everything runs on.
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

STAMP=node_modules/.package-lock.sha256 # `npm ci` removes node_modules first, and the stamp with it

node_version() { node_modules/.bin/node --version 2>/dev/null || true; }

lock=$(sha256sum <package-lock.json)
if [ "$(cat "$STAMP" 2>/dev/null)" = "$lock" ] && [ -n "$(node_version)" ]; then
  done_with npm "node $(node_version)"
  exit 0
fi
PATH=${PATH//"$ROOT/node_modules/.bin:"/} # npm must not run on the Node that it is about to remove
command -v npm >/dev/null || fail 'npm is missing.' 'Install Node.js with npm (Debian: apt-get install nodejs npm).'
with_progress 'npm ci' npm ci --no-audit --no-fund --loglevel=error || fail 'npm could not install what package-lock.json names.'
[ -n "$(node_version)" ] || fail 'npm ci ran, but node_modules/.bin/node does not start.' \
  'The package "node" brings it with an install script: allow scripts (npm config get ignore-scripts), then run this again.'
printf '%s\n' "$lock" >"$STAMP"
done_with npm "installed; node $(node_version)"
