# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The lab: a LAN, a router, N WANs with an ISP each, and an Internet. Sourced by the tests and the
# demo. All of it lives in network namespaces, so the guest's own network is never touched.
#
#    lan                   router                     ispN (N = 1 ..)              inet
#  10.0.0.11 ┐
#  10.0.0.12 │          lan0      wan1 ──────── wan           net ─────────── isp1
#     ...    ├─ eth0 ── 10.0.0.1  100.64.1.2    100.64.1.1    192.0.2.6  192.0.2.5 ┐  198.51.100.1
#     ...    │                    wan2 ────────────── isp2 ────────────────── isp2 ┤       ...
#  10.0.0.18 ┘                    ...                                              ┘  198.51.100.4
#
#                    masquerade on wan*         knows 100.64.N.0/24        one route back per ISP:
#                    upload shaped on wanN      only, and checks sources;  a server sees each WAN as
#                                               download shaped on wan     an address of its own
#
# The rates are given in Mbit/s, as DOWN/UP per WAN. A second lab beside the first one has $lab, the
# prefix of its namespaces' names, set: `lab=b- lab_up`.

set -euo pipefail

lab=${lab-}
clients=8
servers=4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# An emulated CPU runs programs about 25 times slower than a real one: less traffic, longer deadlines.
if [ "${MWB_ACCEL:-}" = tcg ]; then slow=1 lines=(4/1 10/2 20/4); else slow='' lines=(20/5 50/10 100/20); fi
# And so does a kernel that watches itself.
case ${MWB_ACCEL:-}-${MWB_KERNEL:-} in tcg-*|*-debug) slack=3 ;; *) slack=1 ;; esac

tmp=$(mktemp -d /tmp/mwb-lab.XXXXXX)
trap lab_exit EXIT

# -- commands in a namespace ---------------------------------------------------------------------

# The network namespace alone, not `ip netns exec`: that mounts a /sys of its own each time.
in_ns() { local ns=$1; shift; nsenter --net="/run/netns/$lab$ns" "$@"; }
lan() { in_ns lan "$@"; }
router() { in_ns router "$@"; }
inet() { in_ns inet "$@"; }
mwb() { command mwb -n "${lab}router" "$@"; }

# -- the lab -------------------------------------------------------------------------------------

# lab_up [DOWN/UP...]: builds everything but the router's default route.
lab_up() {
	local i n
	[ $# = 0 ] || lines=("$@")
	wans=${#lines[@]}
	{
		for i in lan router inet $(seq -f isp%g "$wans"); do echo "netns add $lab$i"; done
		echo "link add lan0 netns ${lab}router type veth peer name eth0 netns ${lab}lan"
		for n in $(seq "$wans"); do
			echo "link add wan$n netns ${lab}router type veth peer name wan netns ${lab}isp$n"
			echo "link add isp$n netns ${lab}inet type veth peer name net netns ${lab}isp$n"
		done
	} | ip -batch -
	{
		echo "link set lo up"
		for i in $(seq 11 $((10 + clients))); do echo "addr add 10.0.0.$i/24 dev eth0"; done
		echo "link set eth0 up"
		echo "route add default via 10.0.0.1"
	} | ip -n "${lab}lan" -batch -
	# Source validation as Debian has it. And nothing of IPv6 that would come and go by itself.
	router sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 \
		net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=2
	{
		echo "link set lo up"
		echo "addr add 10.0.0.1/24 dev lan0"
		echo "link set lan0 up"
		for n in $(seq "$wans"); do
			echo "addr add 100.64.$n.2/24 dev wan$n"
			echo "link set wan$n up"
		done
	} | ip -n "${lab}router" -batch -
	{
		echo "link set lo up"
		for i in $(seq "$servers"); do echo "addr add 198.51.100.$i/32 dev lo"; done
		for n in $(seq "$wans"); do
			echo "addr add 192.0.2.$((4 * n + 1))/30 dev isp$n"
			echo "link set isp$n up"
			echo "route add 100.64.$n.0/24 via 192.0.2.$((4 * n + 2))"
		done
	} | ip -n "${lab}inet" -batch -
	for n in $(seq "$wans"); do
		in_ns "isp$n" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.wan.rp_filter=1
		ip -n "${lab}isp$n" -batch - <<-END
			addr add 100.64.$n.1/24 dev wan
			addr add 192.0.2.$((4 * n + 2))/30 dev net
			link set wan up
			link set net up
			route add 198.51.100.0/24 via 192.0.2.$((4 * n + 1))
		END
		shape wan "${lines[n - 1]%/*}" | tc -n "${lab}isp$n" -batch -
	done
	# On the router's side the kernel's usual queue, or uploads would choke the ACKs of downloads.
	for n in $(seq "$wans"); do
		shape "wan$n" "${lines[n - 1]#*/}"
		echo "qdisc add dev wan$n parent 1: fq_codel"
	done | tc -n "${lab}router" -batch -
	# The user's own rule set, the only one there is.
	router nft -f - <<-END
		table ip nat {
			chain postrouting {
				type nat hook postrouting priority srcnat; policy accept;
				oifname "wan*" masquerade
			}
		}
	END
}

# shape DEV MBIT: a line of this rate, with a queue of 100 ms, as modems have; for tc.
shape() { echo "qdisc add dev $1 root handle 1: tbf rate $2mbit burst $(($2 * 2000 + 3000)) latency 100ms"; }

# Everything else goes with the guest, or with the namespaces that a test is started in.
lab_exit() {
	local status=$?
	[ "$status" = 0 ] || echo "not ok ${0##*/}: ended early, status $status"
	disown -a
	! loaded || rmmod mwb || status=1
	rm -rf "$tmp"
	[ "$status" != 0 ] || [ -z "$failed" ] || status=1
	exit "$status"
}

# -- the module ----------------------------------------------------------------------------------

loaded() { [ -d /sys/module/mwb ]; }
load_mwb() { loaded || insmod "$MWB_KO" "$@"; }

add_wan() {
	local n=$1 line=${lines[$1 - 1]}
	mwb wan add "wan$n" --dev "wan$n" --gateway "100.64.$n.1" --up "${line#*/}mbit" --down "${line%/*}mbit"
}

# start_mwb [PARAMETER...]: loads the module, adds every WAN and waits until all are up. A test that has $how
# set to weighted knows where connections go, however few there are.
start_mwb() {
	local n
	load_mwb "$@"
	[ -z "${how:-}" ] || mwb config set --mode "$how"
	for n in $(seq "$wans"); do add_wan "$n"; done
	wait_for 10 all_up
}

stop_mwb() {
	local n
	for n in $(seq "$wans"); do mwb wan del "wan$n"; done
}

all_up() { [ "$(mwb -j show | grep -o '"state":"up"' | wc -l)" = "$wans" ]; }
state_is() { [ "$(mwb -j show | jq -r --arg n "wan$1" '.[] | select(.name == $n).state')" = "$2" ]; }
counter() { mwb -j stats | jq -r ".$1"; }

# -- waiting, and what can be compared ---------------------------------------------------------------

# ended PID...: waits for all of them, and fails when one of them did.
ended() { local pid status=0; for pid in "$@"; do wait "$pid" || status=$?; done; return $status; }

# wait_for SECONDS COMMAND...: until it succeeds; fails when it does not in time.
wait_for() {
	local end=$((SECONDS + $1 * slack))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || { echo "not within the deadline: $*"; return 1; }
		sleep 0.05
	done
}

# awaits_events PID: `mwb monitor` has said that it wants them, for it sleeps with its socket open.
awaits_events() { grep -q ') S ' "/proc/$1/stat" && [ -n "$(find "/proc/$1/fd" -lname 'socket:*')" ]; }

# snapshot: everything that the module could have left behind in the router, as text.
snapshot() {
	echo "# rules"; router ip rule; router ip -6 rule
	echo "# routes"; router ip route show table all; router ip -6 route show table all
	echo "# nft"; router nft list ruleset
	echo "# hooks"; router nft list hooks 2>/dev/null || echo "this kernel cannot list them"
	echo "# sysctls"; router sysctl -a 2>/dev/null | grep ^net | grep -v nf_conntrack_count
}

# A kernel that watches its memory keeps up to a 32nd of it when it was freed, until its slab is shrunk (KASAN), and notes
# things down about every object (kmemleak).
case ${MWB_KERNEL:-} in
debug|smp) kept_kb=$(awk '$1 == "MemTotal:" { print int($2 / 32) }' /proc/meminfo) slabs=/proc/slabinfo ;;
*) kept_kb=0 slabs= ;;
esac
# memory: in kB, what the kernel has for itself, of large tables as well, but for kmemleak's notes; no CPU has anything
# up its sleeve.
memory() {
	local slab
	[ $kept_kb = 0 ] || for slab in /sys/kernel/slab/*; do [ -L "$slab" ] || echo 1 >"$slab/shrink"; done
	memory_now
}
# memory_now: the same at a glance, with up to $kept_kb that were freed.
memory_now() {
	[ ! -e /proc/sys/vm/stat_refresh ] || echo 1 >/proc/sys/vm/stat_refresh
	awk '
		/^(SUnreclaim|VmallocUsed|PageTables|Percpu|KernelStack):/ { sum += $2 }
		$1 == "kmemleak_object" { sum -= $15 * $6 * 4 }
		END { print sum }' /proc/meminfo $slabs
}

# same FILE FILE: equal, or the first differences. `COMMAND | is TEXT` is the same for an output.
same() { diff "$1" "$2" >"$tmp/diff" || fail "$(head -n 6 "$tmp/diff" | tr '\n' ' ')"; }
is() {
	cat >"$tmp/is"
	printf '%s\n' "$1" >"$tmp/should"
	same "$tmp/should" "$tmp/is"
}

# -- traffic ---------------------------------------------------------------------------------------

# start_servers: HTTP on every server address. GET /blob is as long as one asks for with a range, and with
# ?rate=BYTES so slow; of what curl limits, a buffer may take the rest at once, and conntrack sees the end. PUT
# /put/NAME is taken, and kept no longer than the next of that name. A line of $tmp/access.log per request:
# source address and port as the server sees them, URI, status, bytes out, bytes in.
start_servers() {
	local dir=$tmp/${lab}www
	mkdir -p "$dir/put"
	truncate -s 1G "$dir/blob"
	cat >"$dir/nginx.conf" <<-END
		daemon off; master_process off; pid $dir/pid; error_log $dir/error.log;
		events { worker_connections 2048; }
		http {
			log_format lab '\$remote_addr \$remote_port \$request_uri \$status \$bytes_sent \$request_length';
			access_log $tmp/${lab}access.log lab;
			client_body_temp_path $dir/body; proxy_temp_path $dir/t; fastcgi_temp_path $dir/t;
			uwsgi_temp_path $dir/t; scgi_temp_path $dir/t;
			client_max_body_size 0; keepalive_timeout 0; sendfile on; reset_timedout_connection on;
			server { listen 80; root $dir; limit_rate \$arg_rate; location /put/ { dav_methods PUT; } }
		}
	END
	nsenter --net="/run/netns/${lab}inet" nginx -e "$dir/error.log" -c "$dir/nginx.conf" &
	disown
	wait_for 10 listens 80
}
# logged COUNT [LAB]: so many transfers are in the log, and no more; a server writes it after it has answered.
logged() {
	wait_for 5 eval '[ "$(wc -l <"$tmp/'"${2-$lab}"'access.log")" -ge '"$1"' ]'
	expect "$(wc -l <"$tmp/${2-$lab}access.log")" = "$1"
}
listens() { [ -n "$(inet ss -Htln "sport = :$1")" ]; }

# start_answers PROTO:PORT...: every server address tells there which address a connection has come from.
start_answers() {
	nsenter --net="/run/netns/${lab}inet" "$here/answer" "$@" >"$tmp/${lab}answers" &
	disown
	# One who asks is there all the time, for it takes long to start one.
	mkfifo "$tmp/${lab}questions" "$tmp/${lab}replies"
	exec {questions}<>"$tmp/${lab}questions" {replies}<>"$tmp/${lab}replies"
	nsenter --net="/run/netns/${lab}lan" "$here/ask" <&$questions >&$replies &
	disown
	wait_for 20 grep -qs ready "$tmp/${lab}answers"
}

# ask [OPTION...] COUNT PROTO:CLIENT:SERVER:PORT...: the WANs that connections take; see there. `asked` is the
# same, every WAN once.
ask() {
	local line
	if [ "$1" = -k ]; then
		lan "$here/ask" "$@"
		return
	fi
	echo "$*" >&$questions
	while read -r line <&$replies && [ "$line" != . ]; do echo "$line"; done
}
asked() { ask "$@" | tr ' ' '\n' | sort -u | tr '\n' ' ' | sed 's/ $//'; }

# spread ask's arguments...: connections take several WANs; of equal lines that are quiet, it should be all.
quiet() { mwb -j show | jq -e 'all(.[]; .up_bps + .down_bps < 20000)' >/dev/null 2>&1; }
spread() {
	local seen
	wait_for 10 quiet
	seen=$(asked 12 "$@")
	[[ $seen =~ ^[0-9]\ [0-9] ]] || fail "went by '$seen': $*"
}

# get BYTES CLIENT SERVER [OPTION...]: one download.
get() {
	local bytes=$1 client=$2 server=$3
	shift 3
	lan curl -sS --fail --connect-timeout 10 --max-time 60 -r "0-$((bytes - 1))" -o /dev/null \
		--interface "10.0.0.$((10 + client))" "$@" "http://198.51.100.$server/blob"
}

# load KIND CLIENT PARALLEL: a client with so many transfers at a time, without end: down (to stdout) or
# up. Their sizes are heavy-tailed: bounded Pareto, 1.2, from 200 kB to 20 MB, uploads to 2 MB. A line in
# $tmp/curl-CLIENT per transfer: curl's status, id, address and port, bytes down and up. Ports go up from
# $first_port, for two connections from one port, one soon after the other, look like one.
first_port=10000
load() {
	local kind=$1 client=$2 parallel=$3 config=$tmp/${lab}config-$1-$2 i
	if [ "$kind" = up ]; then
		# A few sizes are enough, and a hole takes no room.
		for i in 200 280 400 560 770 1100 1500 2000; do truncate -s "${i}kB" "$tmp/up-$i"; done
	fi
	awk -v kind="$kind" -v client="$client" -v servers="$servers" -v tmp="$tmp" \
		-v port=$((first_port + 2000 * client)) -v count=$((slow ? 300 : 2000)) '
		BEGIN {
			srand(client)
			unit = 200e3
			ratio = kind == "up" ? 10 : 100
			for (i = 1; i <= count; i++) {
				size = int(unit / (1 - rand() * (1 - ratio ^ -1.2)) ^ (1 / 1.2))
				id = kind "-" client "-" i
				server = 1 + int(rand() * servers)
				if (kind == "up") {
					for (n = split("200 280 400 560 770 1100 1500 2000", kb, " "); n > 1 && kb[n] * 1000 > size; n--);
					printf "upload-file = %s/up-%d\n", tmp, kb[n]
					printf "url = http://198.51.100.%d/put/%d?%s\n", server, client, id
				} else {
					printf "range = 0-%d\n", size - 1
					printf "url = http://198.51.100.%d/blob?%s\n", server, id
				}
				printf "local-port = %d\ninterface = 10.0.0.%d\nwrite-out = \"%%{stderr}%%{exitcode} %s %%{local_ip} ", port + i, 10 + client, id
				printf "%%{local_port} %%{size_download} %%{size_upload}\\n\"\n"
				printf "silent\nno-progress-meter\nconnect-timeout = 20\nspeed-time = 10\nspeed-limit = 1\nnext\n"
			}
		}' | sed '$d' >"$config"
	exec nsenter --net="/run/netns/${lab}lan" curl --parallel --parallel-immediate --parallel-max "$parallel" \
		-K "$config" 2>"$tmp/${lab}curl-$client"
}

# between FILE START END: bytes per second that a meter saw in that time.
between() {
	awk -v start="$2" -v end="$3" '
		$1 >= start && !from { from = $1; first = $2 }
		$1 <= end { to = $1; last = $2 }
		END { printf "%d\n", (to > from ? (last - first) / (to - from) : 0) }' "$1"
}

# watch_strays: has the Internet count what neither starts a connection nor is part of one, so that only
# the listening socket (the one that is bound to no address) is there for it: packets of a connection that
# came by another line than its first one.
watch_strays() {
	inet nft -f - <<-END
		table ip lab {
			counter strays { }
			set who { typeof ip saddr . tcp sport . tcp dport . tcp flags . ip length; size 100; flags dynamic; }
			chain input {
				type filter hook input priority filter; policy accept;
				tcp flags & (syn | rst) == 0 socket wildcard 1 counter name strays \
					add @who { ip saddr . tcp sport . tcp dport . tcp flags . ip length }
			}
		}
	END
}
strays() { inet nft -j list counter ip lab strays | jq '.nftables[].counter.packets // empty'; }
no_strays() {
	[ "$(strays)" = 0 ] ||
		fail "$(strays): $(inet nft -j list set ip lab who | jq -c '.nftables[].set.elem // empty | .[:5][].concat')"
}

# sample FILE: appends the router's TCP connections as conntrack sees them now.
sample() { router conntrack -L -p tcp -o id 2>/dev/null >>"$1"; }

# one_wan_each FILE: prints how many balanced connections there were; fails when one of them was seen
# on two WANs, or with a mark that is not that of the WAN whose address it has.
one_wan_each() {
	awk '
		{
			delete seen
			for (i = 1; i <= NF; i++) {
				split($i, part, "=")
				if (!(part[1] in seen)) first[part[1]] = part[2]
				seen[part[1]] = part[2]
			}
			# seen has the last, first the first of each: src= and dst= come once per direction.
			if (first["src"] !~ /^10[.]0[.]0[.]/ || first["dst"] !~ /^198[.]51[.]100[.]/) next
			split(seen["dst"], octet, ".")
			now = seen["dst"] " " seen["mark"]
			key = seen["id"] " " first["src"] " " first["sport"] " " first["dst"] " " first["dport"]
			if (!(key in was)) { was[key] = now; count++ }
			if (was[key] != now) { print key ": first " was[key] ", then " now; bad = 1; exit 1 }
			if (seen["mark"] != octet[3] * 16777216) { print key ": address and mark differ: " now; bad = 1; exit 1 }
		}
		END { if (!bad) print count + 0 }' "$1"
}

# failures: the transfers that curl ended with an error.
failures() { awk '$1 != 0 && NF == 6' "$tmp/${lab}"curl-*; }

# one_address_each FILE: prints how many transfers are in a log of the server; fails when one of them
# came from two addresses.
one_address_each() {
	awk '
		split($3, uri, "?") < 2 { next }
		!(uri[2] in was) { was[uri[2]] = $1; count++ }
		was[uri[2]] != $1 { print uri[2] " came from " was[uri[2]] " and " $1; bad = 1; exit 1 }
		END { if (!bad) print count + 0 }' "$1"
}

# -- results -----------------------------------------------------------------------------------------

failed=

fail() { echo "$*"; exit 1; }
expect() { [ "$@" ] || fail "expected $*"; }

# check NAME COMMAND...: one subtest. Its reason to fail is what it said last.
check() {
	local name=$1 why status
	shift
	set +e
	why=$(set -eE; trap 'echo "line $LINENO: ${BASH_COMMAND%%$'"'\\n'"'*}"' ERR; "$@" 2>&1)
	status=$?
	set -e
	if [ "$status" = 0 ]; then
		echo "ok $name"
	else
		echo "not ok $name: $(printf '%s' "${why:-status $status}" | tail -n 3 | tr '\n' ' ')"
		failed=1
	fi
}
