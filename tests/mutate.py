#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mutation testing: changes one place of lib/ at a time, builds the Check programs with it, and
tells which changes no test notices.

usage: tests/mutate.py BUILD_FOLDER [-n COUNT] [-s SEED] [-j JOBS] [-f FILE ...] [-r FILE:LINE ...]

BUILD_FOLDER: a configured one, for its config.h. Prints a line for each mutant that survives, then
the share that was killed: by a test that fails, a crash, or the time limit. Mutants that do not
compile, compile to the very code of the original, or are known to be equivalent, do not count.
"""
import argparse
import concurrent.futures
import hashlib
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
TESTS = TOP / "tests"
# The Check programs, but for one that stands in for AddressSanitizer and one that takes too long.
PROGRAMS = [str(path.relative_to(TESTS).with_suffix(""))
            for pattern in ("unit/test_*.c", "contract/test_*.c", "fuzz/fuzz_*.c", "crash/test_*.c",
                            "system/test_*.c")
            for path in sorted(TESTS.glob(pattern))
            if path.stem not in ("test_annotate", "test_exhaustive")]
LIMIT = 40  # seconds for one test program
CFLAGS = "-O1 -g0 -w -D_GNU_SOURCE -U_FORTIFY_SOURCE -DHAVE_CONFIG_H -pthread".split()

# What only Valgrind, AddressSanitizer and tracers see has tests outside of the Check programs.
UNSEEN = re.compile(r"annotat|bh_probe_")
# A pattern and what stands in its place, tried at each place where the pattern is.
OPERATORS = [
    (r"<=", ["<", "=="]), (r">=", [">", "=="]), (r"==", ["!="]), (r"!=", ["=="]),
    (r"(?<![<>=!-])<(?![<=])", ["<=", ">"]), (r"(?<![<>=-])>(?![>=])", [">=", "<"]),
    (r"&&", ["||"]), (r"\|\|", ["&&"]),
    (r"<<", [">>"]), (r">>", ["<<"]),
    (r"(?<=\w) \+ (?=\w)", [" - "]), (r"(?<=[\w)]) - (?=\w)", [" + "]),
    (r"(?<=[\w)]) \| (?=[\w(])", [" & "]), (r"(?<=[\w)]) & (?=[\w(~])", [" | "]),
    (r"\+=", ["-="]), (r"-=", ["+="]), (r"\|=", ["&=", "="]), (r"&=", ["|=", "="]),
    (r"\+\+", ["--"]), (r"--", ["++"]), (r"!(?=[\w(])", [""]), (r"~(?=[\w(])", [""]),
    (r"\btrue\b", ["false"]), (r"\bfalse\b", ["true"]),
    (r"(?<![\w.x])0(?![\w.])", ["1"]), (r"(?<![\w.x-])1(?![\w.])", ["0", "2"]),
    (r"(?<![\w.x])63(?![\w.])", ["62"]), (r"(?<![\w.x])64(?![\w.])", ["63"]),
    (r"\bif \((?=.*\)$)", ["if (!("]),
]
# Changes that change nothing: file and new line, and why.
EQUIVALENT = {
    "rebuild.c: bool free_before = true;": "the first start is that of a sentinel, which is used",
    "layout.c: excess = excess > 63 ? excess - excess / 32 : 1;": "62 of 64 are not too many",
    "attach.c: bh_handle_end(heap);": "the mutex is unmapped with the handle",
    "bins.c: for (uint32_t word = 0; word <= (bins->count + 1) >> 6; word++)":
        "what lies behind the bits are the heads, which are cleared too",
    "resize.c: if (control->peak <= control->used)": "the same value again",
    "resize.c: if (core->control->peak <= core->control->used)": "the same value again",
    "rebuild.c: if (control->peak <= used)": "the same value again",
    "rebuild.c: if (control->allocations <= live)": "the same value again",
    "alloc.c: if (control->peak <= control->used)": "the same value again",
    "alloc.h: if (BH_UNLIKELY(control->peak <= used))": "the same value again",
    "owners.c: if (pid || pid != last->pid)": "asks more often than it must",
    "alloc.c: return (size_t)(-address & (alignment - 2)) >> BH_GRANULE_SHIFT;":
        "granules have even addresses",
    "bins.h: if (BH_LIKELY(granules <= bins->exact_limit))": "the first shared bin has that very number",
    "alloc.h: if (!(!larger || control->victim_granules >= granules))": "a longer way to the same block",
    "fault.c: char digits[24], *first = digits + sizeof(digits) - 0;": "for AddressSanitizer to see",
    "chart.c: chart->cell_size) < 1)": "no text is empty",
    "region.c: if (!region->start || last == first)": "no system gives back less than nothing",
    "realloc.c: if (!(opens))": "for AddressSanitizer: test_annotate",
}
STATEMENT = re.compile(r"^\t+[^/{}]*;( /\*.*)?$")
KEPT = re.compile(r"^\t+(return|break|continue|case|default|goto|static|const|struct|enum|unsigned"
                  r"|size_t|u?int\w*_t|bool|int|char|void|pthread|ssize_t|pid_t|bheap_t|FILE)\b")


def code_lines(path):
    """Lines with code of functions, without comments and what only the compiler sees."""
    inside = comment = False
    for number, line in enumerate(path.read_text().splitlines()):
        text = line.strip()
        if text.startswith("/*"):
            comment = True
        if not comment and line.startswith("{"):
            inside = True
        elif line.startswith("}"):
            inside = False
        elif inside and not comment and text and not UNSEEN.search(text):
            yield number, line
        if "*/" in line:
            comment = False


def without_words(line):
    """The line with strings and comments made blank, so that places stay where they are."""
    return re.sub(r'"(\\.|[^"])*"|/\*.*?(\*/|$)', lambda found: " " * len(found.group()), line)


def mutants_of(path):
    for number, line in code_lines(path):
        plain = without_words(line)
        for pattern, others in OPERATORS:
            for found in re.finditer(pattern, plain):
                for other in others:
                    new = line[:found.start()] + other + line[found.end():]
                    if other == "if (!(":
                        new += ")"
                    yield path, number, new
        if STATEMENT.match(line) and not KEPT.match(line):
            yield path, number, line[:len(line) - len(line.lstrip())] + ";"


def session_kill(leader):
    """What a test left: Check gives each test a group of its own, but no session."""
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(entry.name)) == leader:
                os.kill(int(entry.name), 9)
        except (ProcessLookupError, PermissionError):
            pass


def memory_available():
    with open("/proc/meminfo") as lines:
        fields = dict(line.split(":") for line in lines)
    return int(fields["MemAvailable"].split()[0]) / int(fields["MemTotal"].split()[0])


def run(command, folder, limit, **more):
    """Runs a command in a session of its own, which is killed whole at the limit; None then. Also
    when a quarter of the memory is gone: a mutant may fill a file in memory that was to be sparse,
    and the system would end other programs for it."""
    enough = memory_available() - 0.25
    end = time.monotonic() + limit
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          start_new_session=True, **more) as child:
        while time.monotonic() < end and memory_available() > enough:
            try:
                return child.wait(0.2)
            except subprocess.TimeoutExpired:
                pass
        session_kill(child.pid)
        return None


def wraps_of(build):
    """The linker's flags for the programs of tests/system/: what tests/local.mk makes of them."""
    return subprocess.check_output(["make", "-s", "-C", build, "--eval", "wraps: ; @echo '$(WRAPS)'",
                                    "wraps"], text=True).split()


def is_wrapped(test):
    return '#include "wraps.h"' in (TESTS / f"{test}.c").read_text()


def helpers_of(test):
    """The sources beside a test whose headers it includes, but for the wraps, which link otherwise."""
    path = TESTS / f"{test}.c"
    for name in re.findall(r'#include "(\w+)\.h"', path.read_text()):
        if name != "wraps" and path.with_name(f"{name}.c").exists():
            yield str(pathlib.Path(test).with_name(name))


def equivalent_key(path, number, new):
    if new.strip() == ";":
        new = path.read_text().splitlines()[number]
    return f"{path.name}: {new.strip()}"


class Bench:
    """One folder with a copy of lib/ to change, built as a shared library that the tests load."""

    def __init__(self, build, compiler, libraries):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mutate-"))
        self.libraries = libraries
        self.wraps = wraps_of(build)
        self.stale = set()  # tests built with a header that was changed
        self.compiler = [compiler, *CFLAGS, f"-I{build}", f"-I{TOP}/include", "-iquote",
                         f"{self.folder}/lib", "-iquote", f"{TESTS}/support"]
        shutil.copytree(TOP / "lib", self.folder / "lib")
        for test in PROGRAMS:
            (self.folder / test).parent.mkdir(exist_ok=True)
        self.sources = sorted(path for path in (self.folder / "lib").glob("*/*.c"))
        self.objects = [path.with_suffix(".o") for path in self.sources]
        self.tests = list(PROGRAMS)
        if not all(self.compile(source) for source in self.sources) or not self.link():
            sys.exit("lib/ does not compile")
        for name in self.tests:
            if not self.build_test(name):
                sys.exit(f"{name} does not compile")
        self.original = {source: self.digest(source) for source in self.sources}

    def tests_try(self):
        """Leaves out the tests that fail anyway, and sorts the others: most mutants die early, and
        should do so in the quick ones."""
        seconds = {}
        for test in self.tests:
            start = time.monotonic()
            if self.test_fails(test):
                print(f"{test} fails without a mutant, and is left out", flush=True)
            else:
                seconds[test] = time.monotonic() - start
        self.tests = sorted(seconds, key=seconds.get)

    def compile(self, source):
        return run([*self.compiler, "-fPIC", "-c", source, "-o", source.with_suffix(".o")],
                   self.folder, 60) == 0

    def link(self):
        return run([*self.compiler, "-shared", *self.objects, "-o", "liblib.so"],
                   self.folder, 60) == 0

    def digest(self, source):
        return hashlib.sha256(source.with_suffix(".o").read_bytes()).digest()

    def users(self, target):
        """The sources to compile again: one, or all for a header."""
        return self.sources if target.suffix == ".h" else [target]

    def build_test(self, test):
        names = [test, *helpers_of(test), "support/model", "support/support", "support/box"]
        extra = []
        library = ["-L.", "-llib", f"-Wl,-rpath,{self.folder}"]
        if test.startswith("fuzz"):
            names = [test, "fuzz/replay"] + (names[1:3] if test == "fuzz/fuzz_api" else [])
            extra = [f'-DCORPUS="corpus/{test.removeprefix("fuzz/fuzz_")}"']
            extra += ["-Wl,--wrap=_ck_assert_failed"] if test == "fuzz/fuzz_api" else []
        if is_wrapped(test):  # the library inside, for the linker's --wrap
            names.append("system/wraps")
            library = [*self.wraps, *self.objects]
        return run([*self.compiler, *extra, *[f"{TESTS}/{name}.c" for name in names],
                    *library, *self.libraries, "-o", test], self.folder, 60) == 0

    def test_fails(self, test):
        environment = dict(os.environ, srcdir=str(TOP), CK_DEFAULT_TIMEOUT="20",
                           BHEAP_TEST_STEPS="1500")
        return run([f"./{test}"], self.folder, LIMIT, env=environment) != 0

    def tests_fail(self, changed_header):
        """The first test that notices, or None. Tests hold code of headers too."""
        for test in self.tests:
            must_build = changed_header or test in self.stale or is_wrapped(test)
            if must_build and not self.build_test(test):
                return "the compiler"
            self.stale.discard(test)
            if self.test_fails(test):
                return test
        return None

    def verdict(self, path, number, new):
        """None when the mutant does not count, else who killed it, or "" for a survivor."""
        target = self.folder / path.relative_to(TOP)
        lines = path.read_text().splitlines()
        lines[number] = new
        target.write_text("\n".join(lines) + "\n")
        users = self.users(target)
        try:
            if not all(self.compile(source) for source in users):
                return None
            if all(self.digest(source) == self.original[source] for source in users):
                return None
            if not self.link():
                return None
            return self.tests_fail(path.suffix == ".h") or ""
        finally:
            shutil.copy(path, target)
            for source in users:
                self.compile(source)
            if path.suffix == ".h":
                self.stale.update(self.tests)


def stale_print(mutants):
    """Entries of EQUIVALENT that the sources have no place for any more."""
    possible = {equivalent_key(*mutant) for mutant in mutants}
    for key in EQUIVALENT:
        if key not in possible:
            print(f"no such mutant, take it out: {key}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-n", type=int, default=300, help="how many mutants; 0: all")
    parser.add_argument("-s", type=int, default=1, help="seed of the choice")
    parser.add_argument("-j", type=int, default=1, help="how many at once")
    parser.add_argument("-f", nargs="+", default=[], help="of these files alone, such as alloc.c")
    parser.add_argument("-r", nargs="+", default=[], help="of these lines alone, FILE:LINE")
    parser.add_argument("-l", action="store_true", help="list them only")
    parser.add_argument("build", type=pathlib.Path)
    options = parser.parse_args()
    libraries = subprocess.check_output(["pkg-config", "--libs", "check"], text=True).split()
    paths = sorted(path for path in (TOP / "lib").glob("*/*.[ch]")
                   if path.name not in ("annotate.h", "probe.h"))
    if options.f:
        paths = [path for path in paths if path.name in options.f]
    mutants = [mutant for path in paths for mutant in mutants_of(path)]
    if not options.f:
        stale_print(mutants)
    mutants = [mutant for mutant in mutants if equivalent_key(*mutant) not in EQUIVALENT]
    if options.r:
        mutants = [m for m in mutants if f"{m[0].name}:{m[1] + 1}" in options.r]
    print(f"{len(mutants)} mutants are possible", flush=True)
    if options.n and not options.r:
        mutants = random.Random(options.s).sample(mutants, min(options.n, len(mutants)))
    if options.l:
        for path, number, new in mutants:
            print(f"{path.name}:{number + 1}: {new.strip()}")
        return
    benches = [Bench(options.build.resolve(), os.environ.get("CC", "gcc"), libraries)
               for _ in range(options.j)]
    benches[0].tests_try()
    for bench in benches[1:]:
        bench.tests = benches[0].tests
    idle = list(benches)

    def judge(mutant):
        bench = idle.pop()
        try:
            return mutant, bench.verdict(*mutant)
        finally:
            idle.append(bench)

    killed = survived = 0
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        for (path, number, new), verdict in pool.map(judge, mutants):
            if verdict is None:
                continue
            killed += bool(verdict)
            survived += not verdict
            name = f"{path.name}:{number + 1}: {new.strip()}"
            print(f"killed by {verdict}: {name}" if verdict else f"SURVIVED: {name}", flush=True)
    for bench in benches:
        shutil.rmtree(bench.folder)
    total = killed + survived
    print(f"{killed} of {total} killed, {100 * killed / max(total, 1):.1f} %")


if __name__ == "__main__":
    main()
