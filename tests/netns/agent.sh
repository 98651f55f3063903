# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# One process for all the traffic of a test, for it takes long to start one; and counters of packets. Sourced
# after lab.sh. `agent FUNCTION ARGUMENT...` prints what a function of the script `agent` returns.

mkfifo "$tmp/to" "$tmp/from"
"$here/agent" "$lab" "$((slow ? 3 : 1))" <"$tmp/to" >"$tmp/from" &
disown
exec {to_agent}>"$tmp/to" {from_agent}<"$tmp/from"
agent() {
	local answer
	echo "$*" >&$to_agent
	IFS= read -r -t 120 answer <&$from_agent || answer='no answer'
	echo "$answer"
}

# meter NS NAME MATCH: counts what comes into a namespace. `metered NS NAME`: packets so far.
meter() {
	in_ns "$1" nft -f - <<-END
		table ip lab {
			counter $2 { }
			chain metered {
				type filter hook prerouting priority -400; policy accept;
				$3 counter name $2
			}
		}
	END
}
metered() { in_ns "$1" nft list counter ip lab "$2" | awk '$1 == "packets" { print $2 }'; }
