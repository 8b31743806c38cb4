# SPDX-License-Identifier: MIT
"""Heaps of libbheap in GDB, in a running program and in a core file.

bheap display [HEAP]          the table that bheap_display() prints
bheap check [HEAP]            every invariant, as bheap_check() does; $bheap_faults counts faults
bheap block ADDRESS [HEAP]    which block an address is in, and its neighbours

HEAP is an expression for a bheap_t *; without one it is the default heap, that of balloc(). Nothing
is called in the program and nothing is written to it. GDB loads this file by itself with the shared
library; for a static program, "source" it. It reads the structures in handle.h by the debug
information of the library, and must be able to read the memory: of a shared heap that is a mapped
file, which the kernel puts into core files only with bit 3 of /proc/PID/coredump_filter set.
"""

import struct

import gdb

GRANULE_SHIFT = 4  # granule.h
CHUNK = 4096  # map words read at once: 64 KiB, for 4 MiB of heap
SLACK_BYTE = 0xB5  # trailer.c
GUARD_FLAGS = 1 << 1 | 1 << 4  # BHEAP_GUARD and BHEAP_OWNED: blocks have a trailer
MASK64 = (1 << 64) - 1


# ---- the program ----


def read(address, size):
    """Bytes of the program's memory."""
    try:
        return gdb.selected_inferior().read_memory(address, size).tobytes()
    except gdb.MemoryError:
        raise gdb.GdbError(
            "Cannot read %d bytes at %#x. In a core file: a shared heap is a mapped file, which is "
            "dumped only with bit 3 of /proc/PID/coredump_filter set." % (size, address)
        )


def byte_order():
    return ">" if "big endian" in gdb.execute("show endian", to_string=True) else "<"


def read_words(address, count):
    """64-bit words of the program's memory."""
    return struct.unpack("%s%dQ" % (byte_order(), count), read(address, 8 * count))


def handle_type():
    """struct bheap, as the library's debug information has it."""
    if not gdb.selected_inferior().pid:
        raise gdb.GdbError("There is no memory to look at: start the program, or load a core file.")
    try:
        found = gdb.lookup_type("struct bheap")
        if found.fields():
            return found
    except (gdb.error, TypeError):
        pass
    try:
        gdb.parse_and_eval("(long)&bheap_alloc")
    except gdb.error:
        raise gdb.GdbError("libbheap is not in this program.")
    raise gdb.GdbError(
        "libbheap has no debug information here: install its package with -dbgsym at the end of "
        "the name, or build it with -g."
    )


def default_heap():
    """What init_heap() made: the static variable of classic.c, by name and type."""
    for symbol in gdb.lookup_static_symbols("default_heap"):
        kind = symbol.type.strip_typedefs()
        if kind.code == gdb.TYPE_CODE_PTR and str(kind.target().strip_typedefs()) == "struct bheap":
            value = symbol.value()
            if not int(value):
                raise gdb.GdbError("There is no default heap: init_heap() was not called.")
            return value
    raise gdb.GdbError("The default heap is not found: name a heap.")


def expression(text):
    try:
        return gdb.parse_and_eval(text)
    except gdb.error as error:
        raise gdb.GdbError("%s: %s" % (text, error))


# ---- a heap ----


class Heap:
    """The block map of a heap, and what is derived from it. Granules as in heap.h."""

    def __init__(self, text):
        pointer = handle_type().pointer()
        self.name = text or "the default heap"
        value = expression(text) if text else default_heap()
        try:
            self.handle = value.cast(pointer).dereference()
            self.view = self.handle["core"]
            self.span = int(self.view["bins"]["span"])
        except gdb.error as error:
            raise gdb.GdbError("%s is not a heap: %s" % (self.name, error))
        self.base = int(self.view["bins"]["base"])
        self.end = int(self.view["end"])
        self.first = self.end - self.span
        self.words = int(self.view["map"]["words"])
        self.words_count = (self.end >> 6) + 1
        if not self.words or not 0 < self.first <= self.end:
            raise gdb.GdbError("%s is not a heap." % self.name)

    def address(self, granule):
        return self.base + (granule << GRANULE_SHIFT)

    def size(self):
        return self.span << GRANULE_SHIFT

    def map_words(self):
        """Index, start bits and used bits of each map word that is not zero."""
        for index in range(0, self.words_count, CHUNK):
            count = min(CHUNK, self.words_count - index)
            chunk = read(self.words + 16 * index, 16 * count)
            if not any(chunk):
                continue
            words = struct.unpack("%s%dQ" % (byte_order(), 2 * count), chunk)
            for word in range(count):
                if words[2 * word] or words[2 * word + 1]:
                    yield index + word, words[2 * word], words[2 * word + 1]

    def starts(self):
        """Granule and use of each block, then the end."""
        for index, starts, used in self.map_words():
            while starts:
                bit = starts & -starts
                granule = index << 6 | bit.bit_length() - 1
                if self.first <= granule < self.end:
                    yield granule, bool(used & bit)
                starts ^= bit
        yield self.end, True

    def blocks(self):
        """Granule, granules and use of each block, in the order of addresses."""
        last = None
        for granule, used in self.starts():
            if last:
                yield last[0], granule - last[0], last[1]
            last = (granule, used)


# ---- display ----


def status(used):
    return "alloc" if used else "FREE"


def display(heap):
    used_size = free_size = largest = 0
    before = True
    print("%-8s%-8s%-8s%-20s%-20s%s" % ("No.", "Status", "Prev", "t_Begin", "t_End", "t_Size"))
    for number, (granule, granules, used) in enumerate(heap.blocks(), 1):
        size = granules << GRANULE_SHIFT
        begin = heap.address(granule)
        print(
            "%-8d%-8s%-8s0x%016x  0x%016x  %d"
            % (number, status(used), status(before), begin, begin + size - 1, size)
        )
        if used:
            used_size += size
        else:
            free_size += size
            largest = max(largest, size)
        before = used
    print("Total used:         %d bytes" % used_size)
    print("Total free:         %d bytes" % free_size)
    print("Total size:         %d bytes" % (used_size + free_size))
    print("Largest free block: %d bytes" % largest)


# ---- check ----


def check_sentinels(heap):
    def bits(granule):
        start, used = read_words(heap.words + 16 * (granule >> 6), 2)
        return start >> (granule & 63) & 1, used >> (granule & 63) & 1

    if bits(heap.first - 1) != (1, 1) or bits(heap.end) != (1, 1):
        yield "the block map is damaged: a sentinel is missing"
    if not bits(heap.first)[0]:
        yield "the block map is damaged: no block starts at the front"


def check_words(heap):
    for index, starts, used in heap.map_words():
        if not starts:
            continue  # inside a block: perhaps a boundary tag
        granule = index << 6
        allowed = MASK64
        if granule < heap.first - 1:
            allowed &= MASK64 << min(64, heap.first - 1 - granule)
        if granule + 63 > heap.end:
            allowed &= (1 << max(0, heap.end + 1 - granule)) - 1
        if (starts | used) & ~allowed:
            yield "the block map is damaged: bits outside the heap, in word %d" % index
        wrong = used & ~starts & MASK64
        if wrong:
            yield "%#x: the block map is damaged: used where no block starts" % heap.address(
                granule | (wrong & -wrong).bit_length() - 1
            )


def check_tags(heap):
    """The first and the last word inside a block name those in which it begins and ends."""
    words = {index: (starts, used) for index, starts, used in heap.map_words()}
    last = 0
    for index in sorted(index for index, (starts, _) in words.items() if starts):
        tag = index << 32 | last
        if index - last > 1 and any(
            words.get(inside, (0, 0))[1] != tag for inside in (last + 1, index - 1)
        ):
            yield "%#x: the index is damaged: a boundary tag disagrees with the map" % heap.address(
                last << 6 | words[last][0].bit_length() - 1
            )
            return
        last = index


def check_neighbours(heap):
    before = True
    for granule, _, used in heap.blocks():
        if not used and not before:
            yield "%#x: two free blocks are neighbours" % heap.address(granule)
        before = used


def check_control(heap):
    control = heap.view["control"].dereference()
    victim, top, used, live, victim_granules = int(control["victim"]), heap.end, 0, 0, 0
    for granule, granules, is_used in heap.blocks():
        if is_used:
            used += granules
            live += 1
        elif granule + granules == heap.end:
            top = granule
        elif granule == victim:
            victim_granules = granules
    if int(control["top"]) != top:
        yield "the index is damaged: the top is not the last free block"
    if int(control["victim_granules"]) != victim_granules or bool(victim) != bool(victim_granules):
        yield "the index is damaged: the victim is not a free block of its size"
    if int(control["used"]) != used:
        yield "the counters say that %d bytes are in use, the map %d" % (
            int(control["used"]) << GRANULE_SHIFT,
            used << GRANULE_SHIFT,
        )
    if int(control["allocations"]) - int(control["frees"]) != live:
        yield "the counters say that %d blocks are live, the map %d" % (
            int(control["allocations"]) - int(control["frees"]),
            live,
        )


def bin_of(bins, granules):
    """As in bins.h: the bin of a size."""
    if granules < int(bins["exact_limit"]):
        return granules
    shift = int(bins["shift"])
    scale = granules.bit_length() - 1 - shift
    return (scale << shift) + (granules >> scale)


def bin_walk(heap, number, first, left):
    """Follows a bin, taking each block off those left. Where it leads astray, or None."""
    previous, granule = 0, first
    while granule:
        granules = left.pop(granule, None)
        if not granules or bin_of(heap.view["bins"], granules) != number:
            return previous
        following, back = struct.unpack(byte_order() + "II", read(heap.address(granule), 8))
        if back != previous:
            return granule
        previous, granule = granule, following
    return None


def check_bins(heap):
    """Each free block but the victim and the top is in the bin of its size, once."""
    bins = heap.view["bins"]
    victim = int(heap.view["control"]["victim"])
    left = {
        granule: granules
        for granule, granules, used in heap.blocks()
        if not used and granule != victim and granule + granules != heap.end
    }
    broken = False
    for number in range(1, int(bins["count"])):  # bin 0 stands in for what is not there
        first = int(bins["heads"][number])
        marked = int(bins["bits"]["words"][number >> 6]) >> (number & 63) & 1
        if marked != bool(first):
            yield "the index is damaged: bin %d is marked wrong" % number
        astray = bin_walk(heap, number, first, left)
        if astray:
            yield "%#x: a free block was written to: its links lead astray" % heap.address(astray)
        elif astray == 0:
            yield "the index is damaged: the head of bin %d leads astray" % number
        broken = broken or astray is not None
    for granule in () if broken else left:
        yield "the index is damaged: the free block at %#x is in no bin" % heap.address(granule)


def rotate(word, bits):
    return (word << bits | word >> 64 - bits) & MASK64


def sip_round(a, b, c, d):
    a, c = a + b & MASK64, c + d & MASK64
    b, d = rotate(b, 13) ^ a, rotate(d, 16) ^ c
    a = rotate(a, 32)
    c, a = c + b & MASK64, a + d & MASK64
    return a, rotate(b, 17) ^ c, rotate(c, 32), rotate(d, 21) ^ a


def sip(key, *words):
    """As in sip.h."""
    a, c = key[0] ^ 0x736F6D6570736575, key[0] ^ 0x6C7967656E657261
    b, d = key[1] ^ 0x646F72616E646F6D, key[1] ^ 0x7465646279746573
    for word in words:
        a, b, c, d = sip_round(a, b, c, d ^ word)
        a ^= word
    c ^= 0xFF
    for _ in range(3):
        a, b, c, d = sip_round(a, b, c, d)
    return a ^ b ^ c ^ d


def seal_of(key, granule, owner, slack_size):
    """As in trailer.c."""
    return sip((key, ~key & MASK64), owner << 32 | granule, slack_size) | 0x0100000000000001


def trailer_is_intact(heap, granule, granules):
    key = int(heap.handle["key"])
    end = heap.address(granule + granules - 1)
    seal, owner, slack_size = struct.unpack(byte_order() + "QII", read(end, 16))
    if granules < 2 or seal != seal_of(key, granule, owner, slack_size):
        return False
    if slack_size > (granules - 1) << GRANULE_SHIFT:
        return False
    return not slack_size or read(end - slack_size, slack_size) == bytes([SLACK_BYTE]) * slack_size


def check_trailers(heap):
    if not int(heap.handle["flags"]) & GUARD_FLAGS:
        return
    for granule, granules, used in heap.blocks():
        if used and not trailer_is_intact(heap, granule, granules):
            yield "%#x (%d bytes): bytes behind the block were overwritten" % (
                heap.address(granule),
                granules - 1 << GRANULE_SHIFT,
            )


CHECKS = (
    check_sentinels,
    check_words,
    check_tags,
    check_neighbours,
    check_control,
    check_bins,
    check_trailers,
)


def check(heap):
    faults = 0
    for one in CHECKS:
        for fault in one(heap):
            print(fault)
            faults += 1
    gdb.set_convenience_variable("bheap_faults", faults)
    print("%s: %s fault%s" % (heap.name, faults or "no", "s" if faults > 1 else ""))


# ---- block ----


def block_text(heap, block):
    granule, granules, used = block
    return "%#x, %d bytes, %s" % (heap.address(granule), granules << GRANULE_SHIFT, status(used))


def block(heap, address):
    granule = heap.first + ((address - heap.address(heap.first)) >> GRANULE_SHIFT)
    if not heap.first <= granule < heap.end:
        raise gdb.GdbError(
            "%#x is not in %s; if it is in another heap, name that." % (address, heap.name)
        )
    before = found = None
    for one in heap.blocks():
        if found:
            break
        if one[0] <= granule < one[0] + one[1]:
            found = one
        else:
            before = one
    else:
        one = None
    print("block:  %s" % block_text(heap, found))
    if address != heap.address(found[0]):
        offset = address - heap.address(found[0])
        print("        the address is %d bytes behind its start" % offset)
    print("before: %s" % (block_text(heap, before) if before else "none"))
    print("behind: %s" % (block_text(heap, one) if one else "none"))


# ---- the commands ----


class Prefix(gdb.Command):
    __doc__ = __doc__

    def __init__(self):
        super().__init__("bheap", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


class Display(gdb.Command):
    """Print every block of a heap, then the totals: bheap display [HEAP]."""

    def __init__(self):
        super().__init__("bheap display", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, text, from_tty):
        display(Heap(text))


class Check(gdb.Command):
    """Print every broken invariant of a heap: bheap check [HEAP]. Sets $bheap_faults."""

    def __init__(self):
        super().__init__("bheap check", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, text, from_tty):
        check(Heap(text))


class Block(gdb.Command):
    """Print the block that an address is in: bheap block ADDRESS [HEAP]. Quote what has spaces."""

    def __init__(self):
        super().__init__("bheap block", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, text, from_tty):
        arguments = gdb.string_to_argv(text)
        if not 1 <= len(arguments) <= 2:
            raise gdb.GdbError("Usage: bheap block ADDRESS [HEAP]")
        heap = Heap(arguments[1] if len(arguments) == 2 else "")
        block(heap, int(expression(arguments[0])) & MASK64)


Prefix()
Display()
Check()
Block()
