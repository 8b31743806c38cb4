#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mutation testing: changes one place of lib/ at a time, builds the Check programs with it, and
tells which changes no test notices.

usage: tests/mutate.py [-n COUNT] [-s SEED] [-j JOBS] [-f FILE ...] [-r FILE:LINE ...] BUILD_FOLDER

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
# The quick ones first: most mutants die early.
TESTS = """test_map test_bins test_layout test_granule test_trailer test_stats test_heap test_fast test_offsets test_fill test_api
test_check test_make test_walk test_show test_classic test_damage test_fault test_region test_file test_lock
test_slots test_open fuzz/fuzz_file fuzz/fuzz_api crash/test_start crash/test_shared
crash/test_death test_seldom test_inject test_random test_threads""".split()
# These stand between the library and the system, and so have the library inside; their flags are
# in tests/local.mk.
WRAPPED = {"test_seldom": "SELDOM_WRAPS", "test_inject": "INJECT_WRAPS"}
LIMIT = 40  # seconds for one test program
CFLAGS = "-O1 -g0 -w -D_GNU_SOURCE -DHAVE_CONFIG_H -pthread".split()

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
    "trailer.c: return (mixed ^ mixed << 32) | UINT64_C(0x0100000000000001);": "another seal",
    "layout.c: excess = excess > 63 ? excess - excess / 32 : 1;": "62 of 64 are not too many",
    "attach.c: bh_handle_end(heap);": "the mutex is unmapped with the handle",
    "bins.c: for (uint32_t word = 0; word <= (bins->count + 1) >> 6; word++)":
        "what lies behind the bits are the heads, which are cleared too",
    "resize.c: if (control->peak <= control->used)": "the same value again",
    "resize.c: if (heap->control->peak <= heap->control->used)": "the same value again",
    "rebuild.c: if (control->peak <= used)": "the same value again",
    "rebuild.c: if (control->allocations <= live)": "the same value again",
    "block.h: if (control->peak <= control->used)": "the same value again",
    "fast.h: if (BH_UNLIKELY(control->peak <= used))": "the same value again",
    "slots.c: if (pid || pid != last->pid)": "asks more often than it must",
    "heap.c: return (size_t)(-address & (alignment - 2)) >> BH_GRANULE_SHIFT;":
        "granules have even addresses",
    "bins.h: if (BH_LIKELY(granules <= bins->exact_limit))": "the first shared bin has that very number",
    "fast.h: if (!(!larger || control->victim_granules >= granules))": "a longer way to the same block",
    "fast.h: if (above)": "a longer way to the same end",
    "fault.c: char digits[24], *first = digits + sizeof(digits) - 0;": "for AddressSanitizer to see",
    "heap.c: while (block && BH_LIKELY(block < bins->span) && probes-- && *size != granules) {":
        "a block of the last granule is in no bin of larger ones",
    "chart.c: chart->cell_size) < 1)": "no text is empty",
    "region.c: if (!region->start || last == first)": "no system gives back less than nothing",
    "realloc.c: if (!(opens))": "for AddressSanitizer: test_poison",
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


def wraps_of(test):
    """The linker's flags that tests/local.mk has for a test."""
    rules = (TOP / "tests/local.mk").read_text().replace("\\\n", " ")
    return re.search(rf"^{WRAPPED[test]} = (.*)$", rules, re.MULTILINE).group(1).split()


def is_equivalent(path, number, new):
    if new.strip() == ";":
        new = path.read_text().splitlines()[number]
    return f"{path.name}: {new.strip()}" in EQUIVALENT


class Bench:
    """One folder with a copy of lib/ to change, built as a shared library that the tests load."""

    def __init__(self, build, compiler, libraries):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mutate-"))
        self.libraries = libraries
        self.stale = set()  # tests built with a header that was changed
        self.compiler = [compiler, *CFLAGS, f"-I{build}", f"-I{TOP}/include", "-iquote",
                         f"{self.folder}/lib"]
        shutil.copytree(TOP / "lib", self.folder / "lib")
        (self.folder / "fuzz").mkdir()
        (self.folder / "crash").mkdir()
        self.sources = sorted(path.name for path in (self.folder / "lib").glob("*.c"))
        self.tests = [test for test in TESTS if (TOP / f"tests/{test}.c").exists()]
        if not all(self.compile(name) for name in self.sources) or not self.link():
            sys.exit("lib/ does not compile")
        for name in self.tests:
            if not self.build_test(name):
                sys.exit(f"{name} does not compile")
        self.original = {name: self.digest(name) for name in self.sources}

    def tests_try(self):
        """Leaves out the tests that fail anyway."""
        while failed := self.tests_fail(False):
            print(f"{failed} fails without a mutant, and is left out", flush=True)
            self.tests.remove(failed)

    def compile(self, name):
        return run([*self.compiler, "-fPIC", "-c", f"lib/{name}", "-o", f"{name}.o"],
                   self.folder, 60) == 0

    def link(self):
        return run([*self.compiler, "-shared", *[f"{name}.o" for name in self.sources], "-o",
                    "liblib.so"], self.folder, 60) == 0

    def digest(self, name):
        return hashlib.sha256((self.folder / f"{name}.o").read_bytes()).digest()

    def users(self, path):
        """The sources to compile again: one, or all for a header."""
        return self.sources if path.suffix == ".h" else [path.name]

    def build_test(self, test):
        names = [test, "model", "support", "box"]
        extra = []
        if test.startswith("fuzz"):
            names = [test, "fuzz/replay"] + (names[1:3] if test == "fuzz/fuzz_api" else [])
            extra = [f'-DCORPUS="corpus/{test[-4:].strip("_")}"']
            extra += ["-Wl,--wrap=_ck_assert_failed"] if test == "fuzz/fuzz_api" else []
        library = ["-L.", "-llib", f"-Wl,-rpath,{self.folder}"]
        if test in WRAPPED:
            library = [*wraps_of(test), *[f"{name}.o" for name in self.sources]]
        return run([*self.compiler, *extra, *[f"{TOP}/tests/{name}.c" for name in names],
                    *library, *self.libraries, "-o", test], self.folder, 60) == 0

    def tests_fail(self, changed_header):
        """The first test that notices, or None. Tests hold code of headers too."""
        environment = dict(os.environ, srcdir=str(TOP), CK_DEFAULT_TIMEOUT="20",
                           BHEAP_TEST_STEPS="1500")
        for test in self.tests:
            must_build = changed_header or test in self.stale or test in WRAPPED
            if must_build and not self.build_test(test):
                return "the compiler"
            self.stale.discard(test)
            if run([f"./{test}"], self.folder, LIMIT, env=environment) != 0:
                return test
        return None

    def verdict(self, path, number, new):
        """None when the mutant does not count, else who killed it, or "" for a survivor."""
        target = self.folder / "lib" / path.name
        lines = path.read_text().splitlines()
        lines[number] = new
        target.write_text("\n".join(lines) + "\n")
        users = self.users(path)
        try:
            if not all(self.compile(name) for name in users):
                return None
            if all(self.digest(name) == self.original[name] for name in users):
                return None
            if not self.link():
                return None
            return self.tests_fail(path.suffix == ".h") or ""
        finally:
            shutil.copy(path, target)
            for name in users:
                self.compile(name)
            if path.suffix == ".h":
                self.stale.update(self.tests)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-n", type=int, default=300, help="how many mutants; 0: all")
    parser.add_argument("-s", type=int, default=1, help="seed of the choice")
    parser.add_argument("-j", type=int, default=1, help="how many at once")
    parser.add_argument("-f", nargs="+", default=[], help="of these files alone, such as heap.c")
    parser.add_argument("-r", nargs="+", default=[], help="of these lines alone, FILE:LINE")
    parser.add_argument("-l", action="store_true", help="list them only")
    parser.add_argument("build", type=pathlib.Path)
    options = parser.parse_args()
    libraries = subprocess.check_output(["pkg-config", "--libs", "check"], text=True).split()
    paths = sorted(path for path in (TOP / "lib").glob("*.[ch]")
                   if path.name not in ("annotate.h", "probe.h"))
    if options.f:
        paths = [path for path in paths if path.name in options.f]
    mutants = [mutant for path in paths for mutant in mutants_of(path)]
    mutants = [mutant for mutant in mutants if not is_equivalent(*mutant)]
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
