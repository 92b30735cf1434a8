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

# npm leaves out, without a word, native packages that do not support the Node it runs on: on Debian 12's Node 18 it
# would install a vitest that cannot start. So an older Node first fetches the one the lock names, and the npm of that.
install=(npm ci --no-audit --no-fund --loglevel=error)
locked=$(sed -n '/"node_modules\/node": {/{n;s/[^0-9.]//gp;q}' package-lock.json)
system=$(node --version 2>/dev/null || echo v0)
system=${system#v}
if [ "${system%%.*}" -lt "${locked%%.*}" ]; then
  say "npm here runs on Node $system; npm ci needs Node $locked, which comes first"
  install=(npm exec --yes --loglevel=error --package="node@$locked" --package=npm@11 -- "${install[@]}")
fi
with_progress 'npm ci' "${install[@]}" || fail 'npm could not install what package-lock.json names.'
[ -n "$(node_version)" ] || fail 'npm ci ran, but node_modules/.bin/node does not start.' \
  'The package "node" brings it with an install script: allow scripts (npm config get ignore-scripts), then run this again.'
printf '%s\n' "$lock" >"$STAMP"
done_with npm "installed; node $(node_version)"
