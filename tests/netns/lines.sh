# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What events do to a line, and to the connections that go by it, as rows of a table. Sourced after lab.sh and
# agent.sh.
#
#   10.0.0.1N   opens connections that go by the line in question, wanN: two of TCP that are idle, one that
#               downloads all the time, and two of UDP. Anew for each row; by other lines, while it is down.
#   10.0.0.2N   has one of each on another line, wanN, which nothing may disturb, from beginning to end.
#
# A connection is kept when the server goes on to see the same address, and moved when it goes on from another
# one. It has ended when its client was told without having asked, as a reset does. Whatever else becomes of it
# is wrong. The time of an event is from its cause to when the line was in the state that it stayed in, as the
# kernel has it; or else to the last news of it.

exec {table}>&1
row='# %-7s %-24s %-11s %8s  %-15s  %-17s  %s\n'

# lines_start: once the module is loaded.
lines_start() {
	local i
	for i in 1 2 3 4; do ip -n "${lab}lan" addr add "10.0.0.2$i/24" dev eth0; done
	for i in $(seq "$wans"); do
		# A reset for a connection that has ended is no part of one any more: no router translates it.
		in_ns "isp$i" nft -f - <<-END
			table ip strangers {
				set seen { typeof ip saddr . ip daddr . ip protocol . ip length; flags dynamic; counter; }
				chain prerouting {
					type filter hook prerouting priority -400; policy accept;
					iifname { lo, net } accept
					ip saddr { 0.0.0.0, 100.64.$i.0/24 } accept
					ip saddr 10.0.0.0/24 tcp flags rst accept
					add @seen { ip saddr . ip daddr . ip protocol . ip length }
				}
			}
		END
	done
	agent serve inet 7 >/dev/null
	# 1 Mbit/s each (SO_MAX_PACING_RATE), whatever the line could carry.
	nsenter --net="/run/netns/${lab}inet" socat -U TCP-LISTEN:19,fork,reuseaddr,setsockopt=1:47:i125000 \
		OPEN:/dev/zero >/dev/null 2>&1 &
	mwb -j monitor >"$tmp/events" &
	disown -a
	wait_for 10 listens 19
	printf "$row" kind event state ms rule+table+main kept/ended/moved others
}

# -- connections -----------------------------------------------------------------------------------

# steer HOST N: what this host of the LAN opens goes by wanN while it is up.
steer() { mwb policy add --src "10.0.0.$1/32" --to "wan$2"; }

# download HOST: a new one, instead of the one that it had.
download() {
	[ ! -e "$tmp/download-$1" ] || kill "$(cat "$tmp/download-$1")" 2>/dev/null || :
	nsenter --net="/run/netns/${lab}lan" socat -u "TCP:198.51.100.3:19,bind=10.0.0.$1" OPEN:/dev/null >/dev/null 2>&1 &
	echo $! >"$tmp/download-$1"
	disown
}

# look: has $now say which TCP connections the LAN thinks it has, and how much each of them has received.
look() {
	local client server rest
	now=$'\n'
	while read -r _ _ client server rest; do
		[[ $rest =~ bytes_received:([0-9]+) ]] || BASH_REMATCH=(0 0)
		now+="${client%:*} $server ${BASH_REMATCH[1]}"$'\n'
	done < <(ss -N "${lab}lan" -HtniO state established)
}
# has HOST SERVER:PORT
has() { [[ $now = *$'\n'"10.0.0.$1 198.51.100.$2 "* ]]; }
# received HOST: by its download, so far.
received() {
	local at=${now#*$'\n'"10.0.0.$1 198.51.100.3:19 "}
	! has "$1" 3:19 || echo "${at%%$'\n'*}"
}
# receives HOST BYTES: more than that.
receives() { [ "$(received "$1")" -gt "$2" ] || { look; return 1; }; }
goes_on() { wait_for 3 receives "$@" >/dev/null 2>&1; }

# other N: connections on another line, wanN, whose fate every row tells from now on.
beside=()
other() {
	steer "2$1" "$1"
	agent open "idle-2$1" tcp lan "10.0.0.2$1" 198.51.100.1 7 >/dev/null
	agent open "udp-2$1" udp lan "10.0.0.2$1" 198.51.100.2 7 >/dev/null
	download "2$1"
	look
	goes_on "2$1" 0
	beside+=("$1")
}

# line N KIND [DEV]: what the rows are about from now on.
line() {
	n=$1 kind=$2 dev=${3:-wan$1} host=1$1
	steer "$host" "$n"
}

# connect: the connections of a row, in $was; fails when they do not go by the line although it is up.
connect() {
	local i by=100.64.
	[ "$(state)" != up ] || by=100.64.$n.
	download "$host"
	for i in 1 2; do
		agent close "idle$i" >/dev/null
		agent open "idle$i" tcp lan "10.0.0.$host" "198.51.100.$i" 7 >/dev/null
		agent close "udp$i" >/dev/null
		agent open "udp$i" udp lan "10.0.0.$host" "198.51.100.$i" 7 >/dev/null
	done
	for i in idle1 idle2 udp1 udp2; do
		was[$i]=$(agent say $i)
		[[ ${was[$i]} = "$by"* ]] || fail "$i was seen as '${was[$i]}' before; last: $(tail -n 1 "$tmp/events")"
	done
	look
	goes_on "$host" 0
}

# told ENDED: that many have ended.
told() {
	local i left=3
	look
	for i in 1:7 2:7 3:19; do has "$host" $i || left=$((left - 1)); done
	[ $left = $((3 - $1)) ]
}
# fate BYTES: what has become of them, as kept/ended/moved.
fate() {
	local i seen kept=0 ended=0 moved=0 wrong=''
	for i in idle1 idle2 udp1 udp2; do
		if [[ $i = idle* ]] && ! has "$host" "${i#idle}:7"; then
			ended=$((ended + 1))
			continue
		fi
		seen=$(agent say $i)
		if [ "$seen" = "${was[$i]}" ]; then
			kept=$((kept + 1))
		elif [[ $i = udp* && $seen = 100.64.* ]]; then
			moved=$((moved + 1))
		else
			wrong+=" $i:${seen%% *}"
		fi
	done
	if ! has "$host" 3:19; then
		ended=$((ended + 1))
	elif goes_on "$host" "$1"; then
		kept=$((kept + 1))
	else
		wrong+=" download"
	fi
	echo "$kept/$ended/$moved$wrong"
}
# others_kept BYTES...: how many of those on other lines are as they were, of how many.
others_kept() {
	local i kept=0
	for i in "${beside[@]}"; do
		[[ $(agent say "idle-2$i") != "100.64.$i."* ]] || kept=$((kept + 1))
		[[ $(agent say "udp-2$i") != "100.64.$i."* ]] || kept=$((kept + 1))
		! goes_on "2$i" "$1" || kept=$((kept + 1))
		shift
	done
	echo "$kept/$((3 * ${#beside[@]}))"
}

# no_strangers: nothing has gone out by a line with an address that is not of its network.
no_strangers() { check "$kind: nothing went out with the address of another line" strangers_are_none; }
strangers_are_none() {
	local i seen
	for i in $(seq "$wans"); do
		seen=$(in_ns "isp$i" nft -j list set ip strangers seen | jq -c '.nftables[].set.elem // empty')
		[ -z "$seen" ] || fail "by wan$i: $seen"
	done
}

# -- rows ------------------------------------------------------------------------------------------

# routes: what there is of the line: rules, routes in its table, default routes in main.
routes() {
	ip -n "${lab}router" -batch - <<<$'rule\nroute show table all' | awk -v n="$n" '
		$1 == 7000 + n ":" { rule++ }
		/^default .*proto 119 / && !/ table / && index($0 " ", " metric " n " ") { main++ }
		!/^[0-9]+:/ && index($0 " ", " table " 7000 + n " ") { table++ }
		END { print rule + 0 "+" table + 0 "+" main + 0 }'
}
state() {
	local json
	json=$(mwb -j show "wan$n")
	json=${json#*'"state":"'}
	echo "${json%%'"'*}"
}
arrived() { [ "$(state)" = "$1" ] && [ "$(routes)" = "$2" ]; }

# by NS LINE...: an event that ip makes, line by line; the time that it takes to start is not the event's.
by() {
	local ns=$1 in out
	shift
	coproc ip -n "$lab$ns" -oneline -batch -
	in=${COPROC[0]} out=${COPROC[1]}
	echo 'link show dev lo' >&"$out"
	read -r <&"$in"
	start=$EPOCHREALTIME
	printf '%s\n' "$@" >&"$out"
	exec {out}>&-
	wait "$COPROC_PID"
}

# row EVENT STATE ROUTES FATE COMMAND...: what the command does to the line and its connections, as a row of the
# table; and whether that is what it should.
row() { check "$kind: $1" row_is "$@"; }
row_is() {
	local start now state routes fate others ms i bytes=() should
	local -A was
	connect
	start=$EPOCHREALTIME
	"${@:5}"
	wait_for 15 arrived "$2" "$3" || :
	look
	for i in "${beside[@]}"; do bytes+=("$(received "2$i")"); done
	i=$(received "$host")
	# Whatever else may come of it.
	sleep 0.2
	should=${4#*/}
	wait_for 1 told "${should%/*}" >/dev/null || :
	fate=$(fate "${i:-0}")
	others=$(others_kept "${bytes[@]}")
	routes=$(routes)
	state=$(state)
	ms=$(jq -rs --arg wan "wan$n" --arg state "$state" --argjson start "$start" '
		map(select(.name == $wan and .time >= $start)) | map(select(.old_state != .state))[-1] // .[-1] |
		if . then (.time - $start) * 10000 | round / 10 else "-" end' "$tmp/events")
	printf "$row" "$kind" "$1" "$state" "$ms" "$routes" "$fate" "$others" >&"$table"
	expect "$state $routes $fate" = "$2 $3 $4"
	expect "${others%/*}" = "${others#*/}"
}

# rows_static: the events of a line whose addresses are given, be it a device of its own or a VLAN; for wan2.
rows_static() {
	row "link down" down 0+0+0 0/3/2 by router "link set wan2 down"
	row "link up" up 1+5+1 5/0/0 by router "link set wan2 up"
	row "address removed" no-address 0+0+0 0/3/2 by router "addr del 100.64.2.2/24 dev wan2"
	row "address added" up 1+5+1 5/0/0 by router "addr add 100.64.2.2/24 dev wan2"
	# The second address of a network stays when the first one goes.
	router sysctl -qw net.ipv4.conf.wan2.promote_secondaries=1
	row "address changed" up 1+5+1 0/3/2 by router "addr add 100.64.2.7/24 dev wan2" "addr del 100.64.2.2/24 dev wan2"
	row "second address added" up 1+5+1 5/0/0 by router "addr add 100.64.2.2/24 dev wan2"
	row "second address removed" up 1+5+1 5/0/0 by router "addr del 100.64.2.2/24 dev wan2"
	row "gateway changed" up 1+5+1 5/0/0 gateway_set 100.64.2.9
	row "MTU changed" up 1+5+1 5/0/0 by router "link set wan2 mtu 1400"
}
# rows_renamed ROUTES: what they are while the line is up. The last rows: to what still comes in, the router has an
# answer, but with the new name it leaves by whatever line.
rows_renamed() {
	local i
	no_strangers
	row "device renamed" down 0+0+0 0/3/2 by router "link set $dev name dsl"
	row "device named as before" up "$1" 5/0/0 by router "link set dsl name $dev"
	for i in $(seq "$wans"); do in_ns "isp$i" nft flush set ip strangers seen; done
}
gateway_set() {
	mwb wan set wan2 --gateway "$1"
	wait_for 1 leads_to "$1"
}
# leads_to GATEWAY: both default routes of the line do.
leads_to() {
	[ "$(router ip -j route show table all default |
		jq -r --arg dev "$dev" '[.[] | select(.dev == $dev and .protocol == "119").gateway] | join(" ")')" = "$1 $1" ]
}
