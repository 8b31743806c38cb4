#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Processor time and peak resident memory of real programs, whole, under several malloc()s.

Each round runs every program once under every allocator, so that what else the machine does meets all
alike; of the rounds the median counts. Ratios are to the C library; below them is their geometric
mean. Allocators and programs that are not installed are left out.

A program is run in the way in which its memory goes through malloc(), where it has one: python with its
own allocator, which maps arenas of its own, is shown below the mean and does not count; nor do large blocks
that come and go, a made-up program.
"""
import argparse
import glob
import math
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PYMALLOC = "(pymalloc)"  # not in the mean: python3 is already
LARGE = "(large)"  # nor is a made-up one: 20 blocks of 5 to 25 MiB, replaced at random

SQL = """create table t(a, b, c); create index i on t(b);
with recursive n(x) as (select 1 union all select x + 1 from n where x < 150000)
insert into t select x, hex(x * 7919 % 10007), 'row ' || x from n;
select count(distinct b), sum(a) from t; delete from t where a % 3 = 0;
select b, count(*) k from t group by b order by k desc, b limit 20;
create table u as select t.a, t.c || v.c as d from t join t v on t.a = v.a + 1; select sum(length(d)) from u;"""

PYTHON = """
import json
rows = [{'n': n, 's': str(n) * (n % 9), 'l': [n] * (n % 5)} for n in range(100000)]
text = json.dumps(rows)
back = json.loads(text)
words = {}
for row in back:
    words.setdefault(row['s'][:4], []).append(row['n'])
print(len(text), len(words), sorted(words)[:3])
"""

PERL = r"""
my (%n, @l);
for my $i (1 .. 600000) { my $k = 'key' . $i % 20011; $n{$k} .= chr(65 + $i % 26); push @l, [$i, $k] if $i % 3 == 0; }
my $t = join ',', map { "$_=$n{$_}" } sort keys %n; print length($t), ' ', scalar(@l), "\n";
"""

LUA = """
local t = {}
for i = 1, 200000 do t[i] = { name = 'n' .. i, value = i % 977, next = t[i - 1] and i % 7 == 0 and t[i - 1] or nil } end
table.sort(t, function(a, b) return a.value < b.value or (a.value == b.value and a.name < b.name) end)
local s = {} for i = 1, #t do s[#s + 1] = t[i].name .. ':' .. t[i].value end
print(#table.concat(s), t[1].name)
"""

CXX = r"""
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>
int main()
{
	size_t sums[2] = {};
	std::vector<std::thread> threads;
	for (size_t t = 0; t < 2; t++)
		threads.emplace_back([&sums, t] {
			std::map<std::string, std::vector<int>> map;
			std::unordered_map<int, std::unique_ptr<std::string>> owned;
			for (int i = 0; i < 400000; i++) {
				map[std::to_string(i % 5000) + "a key that is not short"].push_back(i);
				owned[i % 30011] = std::make_unique<std::string>(static_cast<size_t>(i % 200), 'x');
			}
			for (auto &entry : map)
				sums[t] += entry.second.size();
			sums[t] += owned.size();
		});
	for (auto &thread : threads)
		thread.join();
	std::cout << sums[0] + sums[1] << '\n';
}
"""

LARGE_BLOCKS = r"""
#include <memory>
#include <random>
int main()
{
	std::unique_ptr<char[]> blocks[20];
	std::mt19937 random;
	for (int i = 0; i < 2000; i++) {
		size_t size = (5u << 20) + random() % ((20u << 20) + 1);
		blocks[random() % 20] = std::make_unique<char[]>(size);
	}
}
"""


def library(*patterns):
    """The first file that matches, or None."""
    for pattern in patterns:
        found = sorted(glob.glob(pattern))
        if found:
            return os.path.abspath(found[0])
    return None


def c_library():
    """The file that this program has mapped."""
    with open("/proc/self/maps") as maps:
        return next(line.split()[-1] for line in maps if "/libc.so" in line or "/libc-2" in line)


def allocators(own, others):
    """Name to environment, the C library first: named too, for some programs are linked with another malloc()."""
    yield "glibc", {"LD_PRELOAD": c_library()}
    yield "bheap", {"LD_PRELOAD": own}
    yield "bheap, no cache", {"LD_PRELOAD": own, "BHEAP_MALLOC_CACHE": "0"}
    for name, path in (("jemalloc", library("/usr/lib/*/libjemalloc.so.2")),
                       ("mimalloc", library("/usr/lib/*/libmimalloc.so.2*", "/usr/lib/*/libmimalloc.so.[3-9]*"))):
        if path:
            yield name, {"LD_PRELOAD": path}
    for name, path in others:
        yield name, {"LD_PRELOAD": os.path.abspath(path)}


def prepare(folder):
    """Input files; the same bytes in every run."""
    lines = "".join(f"{i} {i * i % 9973} line of text number {i % 257}\n" for i in range(400000))
    with open(os.path.join(folder, "text"), "w") as text:
        text.write(lines)
    with open(os.path.join(folder, "program.cc"), "w") as source:
        source.write(CXX)
    with open(os.path.join(folder, "large.cc"), "w") as source:
        source.write(LARGE_BLOCKS)
    with open(os.path.join(folder, "source.c"), "w") as source:
        for i in range(400):
            source.write(f"struct s{i} {{ int a[{i + 1}]; struct s{max(i - 1, 0)} *p; }};\n"
                         f"int f{i}(struct s{i} *s, int n) {{ int t = 0; for (int j = 0; j < n; j++) "
                         f"{{ t += s->a[j % {i + 1}] * (j ^ {i}); if (t % 7 == {i % 7}) t ^= j; }} return t; }}\n")
    if shutil.which("g++"):
        for name in "program", "large":
            subprocess.run(["g++", "-O2", "-std=c++17", "-pthread", "-o", name, name + ".cc"], cwd=folder, check=True)
    if shutil.which("git"):
        git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-c", "init.defaultBranch=main", "-c", "gc.auto=0"]
        subprocess.run([*git, "init", "-q", "repository"], cwd=folder, check=True)
        for commit in range(60):
            for number in range(20):
                with open(os.path.join(folder, "repository", f"file{number}"), "w") as file:
                    file.write(lines[commit * 1000 + number * 500:][:40000])
            subprocess.run([*git, "add", "."], cwd=os.path.join(folder, "repository"), check=True)
            subprocess.run([*git, "commit", "-qm", str(commit)], cwd=os.path.join(folder, "repository"), check=True)


def programs(folder):
    """Name and command of those that are installed."""
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    commands = [
        ("sqlite3", ["sqlite3", ":memory:", SQL]),
        ("python3", ["env", "PYTHONMALLOC=malloc", python, "-c", PYTHON]),
        ("perl", ["perl", "-e", PERL]),
        ("lua5.4", ["lua5.4", "-e", LUA]),
        ("git", ["sh", "-c", "git -C repository log -p --stat | md5sum && "
                 "git -C repository pack-objects --all --stdout --no-reuse-delta --threads=2 </dev/null 2>/dev/null | wc -c"]),
        ("gcc", ["gcc", "-O2", "-S", "-o", "-", "source.c"]),
        ("redis", None),
        ("xz", ["xz", "-T2", "--block-size=4194304", "-2", "-c", "text"]),
        ("zstd", ["zstd", "-q", "-T2", "-9", "-c", "text"]),
        ("C++", [os.path.join(folder, "program")]),
        (PYMALLOC, [python, "-c", PYTHON]),
        (LARGE, [os.path.join(folder, "large")]),
    ]
    for name, command in commands:
        if shutil.which(command[0] if command else "redis-server"):
            yield name, command


def start(command, environment, folder):
    """Below time(1): a child of this program would begin with this program's peak as its own."""
    timed = tempfile.NamedTemporaryFile(mode="r", dir=folder)
    settings = [f"{name}={value}" for name, value in environment.items()]
    process = subprocess.Popen(["time", "-q", "-f", "%U %S %M", "-o", timed.name, "env", *settings, *command],
                               cwd=folder, env={**os.environ, "LC_ALL": "C"}, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    return process, timed


def finish(process, timed):
    """Processor seconds and peak resident MiB of a program, and of the processes it waited for."""
    if process.wait():
        raise SystemExit(f"{' '.join(process.args[6:])[:200]}: status {process.returncode}")
    user, system, resident = timed.read().split()
    return float(user) + float(system), int(resident) / 1024


def run_command(command, environment, folder):
    return finish(*start(command, environment, folder))


def run_redis(environment, folder):
    """A server under load on loopback; the client is not measured."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    server = start(["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder],
                   environment, folder)
    cli = ["redis-cli", "-p", port]
    while subprocess.run([*cli, "ping"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        time.sleep(0.05)
    subprocess.run(["redis-benchmark", "-p", port, "-q", "-n", "100000", "-P", "16", "-r", "100000", "-d", "100",
                    "-t", "set,get,incr,lpush,lpop,sadd,hset,zadd"], stdout=subprocess.DEVNULL, check=True)
    subprocess.run([*cli, "shutdown", "nosave"], stdout=subprocess.DEVNULL)
    return finish(*server)


def measure(names, commands, rounds, folder):
    """(program, allocator) to a list of (seconds, MiB)."""
    figures = {(program, allocator): [] for program in commands for allocator in names}
    for turn in range(rounds):
        for program, command in commands.items():
            for allocator, settings in names.items():
                if sys.stderr.isatty():
                    print(f"\rround {turn + 1} of {rounds}: {program}, {allocator}\033[K", end="", file=sys.stderr)
                one = run_command(command, settings, folder) if command else run_redis(settings, folder)
                figures[program, allocator].append(one)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return figures


def row(program, base, ratios):
    print(f"{program:10}{base:>10}" + "".join(f"{ratio:18.3f}" for ratio in ratios))


def table(title, unit, which, figures, names, commands):
    """The C library's figure, and the others' as multiples of it."""
    median = {key: statistics.median(one[which] for one in runs) for key, runs in figures.items()}
    ratios = {program: [median[program, name] / median[program, "glibc"] for name in list(names)[1:]]
              for program in commands}
    counted = [program for program in commands if program not in (PYMALLOC, LARGE)]
    columns = zip(*(ratios[program] for program in counted))
    print(f"{title}: {unit} with glibc, and the others as a multiple of it\n")
    print(f"{'':10}{'glibc':>10}" + "".join(f"{name:>18}" for name in list(names)[1:]))
    for program in counted:
        row(program, f"{median[program, 'glibc']:.2f}", ratios[program])
    row("geometric", "", [math.exp(statistics.mean(map(math.log, column))) for column in columns])
    for program in commands:
        if program not in counted:
            row(program, f"{median[program, 'glibc']:.2f}", ratios[program])
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", help="libbheap-malloc.so, such as tools/.libs/libbheap-malloc.so")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", help="programs, separated by commas")
    parser.add_argument("--beside", metavar="NAME=LIBRARY", action="append", default=[],
                        type=lambda text: text.split("=", 1), help="another malloc() to measure")
    options = parser.parse_args()
    if not os.access(options.library, os.R_OK):
        parser.error(f"{options.library} cannot be read")
    if not shutil.which("time"):
        parser.error("time(1) is wanted: the package time of your distribution")
    with tempfile.TemporaryDirectory() as folder:
        prepare(folder)
        names = dict(allocators(os.path.abspath(options.library), options.beside))
        commands = {name: command for name, command in programs(folder)
                    if not options.only or name in options.only.split(",")}
        figures = measure(names, commands, options.rounds, folder)
    table("Processor time", "seconds", 0, figures, names, commands)
    table("Peak resident memory", "MiB", 1, figures, names, commands)


if __name__ == "__main__":
    main()
