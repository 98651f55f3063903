# SPDX-License-Identifier: GPL-2.0
# Shared by the scripts: where things are, and how a cached thing is built once.
# shellcheck shell=bash

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mwb
jobs=$(nproc)

say() { printf '%s\n' "mwb: $*" >&2; }
die() { say "$*"; exit 1; }

# key FILE|STRING... : twelve hex digits that name these inputs.
key() {
	local i
	for i in "$@"; do
		if [ -f "$i" ]; then cat "$i"; else printf '%s\n' "$i"; fi
	done | sha256sum | cut -c1-12
}

# cached NAME KEY COMMAND...: runs `COMMAND... DIR` once and leaves the path of the finished folder
# in $cached. The folder gets its name only when it is complete, so an interrupted run leaves nothing
# that a later one could mistake for the whole.
cached() {
	local name=$1 key=$2
	shift 2
	cached=$cache/$name-$key
	[ -d "$cached" ] && return
	mkdir -p "$cache"
	exec 9>"$cache/$name.lock"
	flock 9
	if [ ! -d "$cached" ]; then
		local start=$SECONDS
		say "building $name ($key), log in $cached.log"
		rm -rf --one-file-system "$cached.partial"
		mkdir -p "$cached.partial"
		# In the background, because errexit is off in whatever stands left of a ||. It inherits the
		# lock: nobody starts anew while some of an interrupted build still runs.
		"$@" "$cached.partial" >"$cached.log" 2>&1 </dev/null &
		wait $! || {
			tail -n 30 "$cached.log" >&2
			die "$name failed; the whole log is $cached.log"
		}
		mv "$cached.partial" "$cached"
		say "built $name in $((SECONDS - start)) s"
	fi
	exec 9>&-
}
