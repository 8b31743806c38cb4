#!/bin/sh
# SPDX-License-Identifier: MIT
# Real programs run whole on a bounded heap say what they say without, and misuse nothing.
. "$srcdir/tests/tools/common.sh"

LC_ALL=C; export LC_ALL
top=$(cd "$srcdir" && pwd)
cd "$scratch" || exit 99
ran=0

# The same bytes in every run.
awk 'BEGIN { for (i = 0; i < 60000; i++) print i, i * i % 9973, "line of text number", i % 257 }' >text

# run MODE COMMAND: its output, errors and status go to files MODE.*
run()
{
	rm -rf work && mkdir work && cd work || exit 99
	if [ "$1" = plain ]; then
		sh -c "$2" >"../$1.out" 2>"../$1.err"
	else
		LD_PRELOAD=$preload sh -c "$2" >"../$1.out" 2>"../$1.err"
	fi
	echo "status $?" >>"../$1.out"
	cd .. || exit 99
}

# same PROGRAM COMMAND: with the library as without
same()
{
	program=$1
	command -v "$program" >/dev/null || { echo "skipped: $program is not installed"; return; }
	ran=$((ran + 1))
	run plain "$2"
	for mode in cached uncached guarded; do
		unset BHEAP_MALLOC_CACHE BHEAP_MALLOC_GUARD
		case $mode in
		uncached) BHEAP_MALLOC_CACHE=0; export BHEAP_MALLOC_CACHE ;;
		guarded) BHEAP_MALLOC_GUARD=1; export BHEAP_MALLOC_GUARD ;;
		esac
		run $mode "$2"
		cmp plain.out $mode.out || fail "$program ($mode): another output"
		cmp plain.err $mode.err || { cat $mode.err; fail "$program ($mode): other messages"; }
	done
	unset BHEAP_MALLOC_CACHE BHEAP_MALLOC_GUARD
	grep -q 'status 0' plain.out || { cat plain.err; fail "$program fails in itself"; }
}

same sqlite3 "sqlite3 :memory: 'create table t(a, b); create index i on t(b);
	with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000)
	insert into t select x, hex(x * 7919 % 10007) from c;
	select count(distinct b), sum(a) from t; delete from t where a % 3 = 0;
	select b, count(*) n from t group by b order by n desc, b limit 20;'"
same python3 "/usr/bin/env python3 -c '
import json, threading, subprocess, sys
rows = [{\"n\": n, \"s\": str(n) * (n % 9)} for n in range(20000)]
text = json.dumps(rows)
print(len(text), json.loads(text) == rows)
out = []
threads = [threading.Thread(target=lambda k=k: out.append(sum(len(str(i)) for i in range(k * 5000)))) for k in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sorted(out))
print(subprocess.run([sys.executable, \"-c\", \"print(sum(map(len, [str(i) for i in range(9999)])))\"], capture_output=True).stdout)
'"
same perl "perl -ne '\$n{\$_}++ for split; END { print \"\$_ \$n{\$_}\n\" for sort keys %n }' ../text"
# Its modules are opened with RTLD_DEEPBIND, the first of them before it does anything.
same php "php -m && php -r '
\$rows = []; for (\$n = 0; \$n < 20000; \$n++) \$rows[] = [\"n\" => \$n, \"s\" => str_repeat((string)\$n, \$n % 9)];
\$text = json_encode(\$rows); echo strlen(\$text), json_decode(\$text, true) == \$rows, md5(serialize(\$rows)), \"\n\";'"
same lua5.4 "lua5.4 -e 't = {} for i = 1, 100000 do t[i] = tostring(i) .. \"x\" end
	table.sort(t) print(#table.concat(t), t[1], t[#t])'"
same git "git init -q . && cp ../text . && git add text && git -c user.name=n -c user.email=e commit -qm one &&
	sed 's/7/seven/g' ../text >text && git diff --stat && git -c user.name=n -c user.email=e commit -qam two &&
	git gc --quiet && git fsck --full && git log -p --format=%s | wc"
same gcc "gcc -O2 -I'$top/include' -iquote '$top/lib' -D_GNU_SOURCE -S -o out.s '$top/lib/core/alloc.c' && cat out.s"
same xz "xz -T2 --block-size=262144 -6 -c ../text >t.xz && cat t.xz && xz -dc t.xz | cmp - ../text"
same zstd "zstd -q -T2 -12 -c ../text >t.zst && cat t.zst && zstd -dqc t.zst | cmp - ../text"
same awk "awk '{ n[\$2]++; if (NR % 9 == 0) s = s \$1 } END { for (k in n) t += n[k]; print t, length(s) }' ../text"
same sort "sort -R --random-source=../text ../text | sort -k2,2n -k1,1n"

# A program of C++: strings, maps, exceptions, aligned new, threads.
cat >program.cc <<'END'
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
struct alignas(128) Wide { char bytes[128]; };
int main()
{
	std::map<std::string, std::vector<int>> map;
	for (int i = 0; i < 50000; i++)
		map[std::to_string(i % 1000) + std::string(static_cast<size_t>(i % 50), 'x')].push_back(i);
	std::vector<std::unique_ptr<Wide>> wides;
	for (int i = 0; i < 100; i++)
		wides.push_back(std::make_unique<Wide>());
	bool aligned = true;
	for (auto &wide : wides)
		aligned = aligned && reinterpret_cast<uintptr_t>(wide.get()) % 128 == 0;
	size_t sums[4] = {};
	std::vector<std::thread> threads;
	for (size_t t = 0; t < 4; t++)
		threads.emplace_back([&sums, t] {
			for (size_t i = 0; i < 20000; i++)
				sums[t] += std::to_string(i * t).size() + std::string(i % 100, 'y').size();
		});
	for (auto &thread : threads)
		thread.join();
	size_t caught = 0;
	for (int i = 0; i < 1000; i++)
		try { throw std::runtime_error(std::to_string(i)); }
		catch (const std::exception &e) { caught += std::string(e.what()).size(); }
	std::cout << map.size() << ' ' << aligned << ' ' << sums[0] + sums[3] << ' ' << caught << '\n';
}
END
if command -v g++ >/dev/null; then
	g++ -std=c++17 -O1 -pthread -o program program.cc || fail "the C++ program was not built"
	same g++ ../program
fi

# A server under load, over loopback; its data at the end.
redis_talk()
{
	redis-cli -p "$port" "$@"
}

# redis_start PORT [LIBRARY]: until it answers; false if it ended, as where the port is another's.
redis_start()
{
	port=$1
	rm -f redis.log
	env ${2:+LD_PRELOAD="$2"} redis-server --port $port --bind 127.0.0.1 --save '' --dir "$scratch" \
		--io-threads 2 >redis.log 2>&1 &
	server=$!
	# As long as it lives it may take its time: the machine may be busy.
	while kill -0 $server 2>/dev/null; do
		redis_talk info server 2>/dev/null | grep -q "^process_id:$server[^0-9]*$" && return 0
		sleep 0.1
	done
	return 1
}

redis_run()
{
	# Below those that the system gives away.
	first=$((20000 + $$ % 12000))
	for try in $first $((first + 1)) $((first + 2)) $((first + 3)); do
		redis_start $try "$@" && break
		wait $server
		grep -q 'Address already in use' redis.log || break
	done
	# Without a server it would try for ever.
	timeout 600 redis-benchmark -p $port -q -n 5000 -P 8 -r 1000 -t set,get,lpush,lpop,sadd,hset,zadd >/dev/null 2>&1 ||
		fail "redis-benchmark"
	redis_talk flushall
	redis_talk eval "for i = 1, 5000 do redis.call('set', 'k' .. i, string.rep('v', i % 300)) end
		return redis.call('dbsize')" 0
	redis_talk eval "local n = 0 for i = 1, 5000 do n = n + #redis.call('get', 'k' .. i) end return n" 0
	redis_talk bgsave >/dev/null
	redis_talk shutdown nosave
	wait $server
	echo "status $?"
}

if command -v redis-server >/dev/null && command -v redis-benchmark >/dev/null; then
	ran=$((ran + 1))
	redis_run >redis.plain
	redis_run "$preload" >redis.bounded
	cmp redis.plain redis.bounded || fail "redis-server: other answers"
	grep -H 'status 0' redis.plain || fail "redis-server fails in itself"
	grep 'bheap: ' redis.log && fail "redis-server misuses its heap"
fi

[ $ran -gt 0 ] || exit 77
echo "$ran programs ran"
finish
