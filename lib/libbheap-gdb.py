# SPDX-License-Identifier: MIT
"""Heaps of libbheap in GDB, in a running program and in a core file.

bheap display [HEAP]        the table that bheap_display() prints
bheap check [HEAP]          checks every invariant, as bheap_check() does;
                            $bheap_faults is the number of faults
bheap block ADDRESS [HEAP]  the block that an address is in, and its neighbours

HEAP is an expression for a bheap_t *, or "malloc" for the heap of
libbheap-malloc.so. Without it the heap is the default heap, that of balloc(),
or, in a program without one, that of libbheap-malloc.so.

The commands call nothing in the program and write nothing to it. They need no
debug information. GDB loads this file by itself with the shared library; for a
static program, "source" it. The memory of a shared heap is a mapped file, which
the kernel puts into a core file only if bit 3 of /proc/PID/coredump_filter is
set.
"""

import re
import struct

import gdb

CHUNK = 4096  # map words read at once: 64 KiB, for 4 MiB of heap
MASK64 = (1 << 64) - 1
BINS_MAX = 1 << 12  # more than any heap has


# ---- the program ----


def read_raw(address, size):
    """Bytes of the program's memory, or gdb.MemoryError."""
    return gdb.selected_inferior().read_memory(address, size).tobytes()


def read(address, size):
    """Bytes of the program's memory."""
    try:
        return read_raw(address, size)
    except gdb.MemoryError:
        raise gdb.GdbError(
            "Cannot read %d bytes at %#x.\nA shared heap is a mapped file, which is in a core file"
            " only if bit 3 of\n/proc/PID/coredump_filter was set." % (size, address)
        )


class Order:
    """The program's order of bytes: asked once for each command, for it takes long."""

    name, sign = "little", "<"

    @classmethod
    def ask(cls):
        is_big = "big endian" in gdb.execute("show endian", to_string=True)
        cls.name, cls.sign = ("big", ">") if is_big else ("little", "<")


def number(data):
    return int.from_bytes(data, Order.name)


def read_numbers(address, count, size):
    """Numbers of 4 or 8 bytes of the program's memory."""
    kind = "Q" if size == 8 else "I"
    return struct.unpack("%s%d%s" % (Order.sign, count, kind), read(address, count * size))


def expression(text):
    try:
        return gdb.parse_and_eval(text)
    except gdb.error as error:
        raise gdb.GdbError("%s: %s" % (text, error))


# ---- the library: its note, and where it keeps the heaps that have no name ----

SECTION = re.compile(
    r"\s*0x([0-9a-f]+) - 0x[0-9a-f]+ is (\.note\.bheap|\.bheap\.(?:default|malloc))(?: in (.+))?$"
)
NOTE_TYPE = 1
POINTER = "core.control"  # a field that is one


class Table:
    """What a library's note says: where a field lies in its structure, and its size."""

    def __init__(self, address, file):
        self.file = file
        owner_size, size, kind = read_numbers(address, 3, 4)
        if kind != NOTE_TYPE or read(address + 12, owner_size) != b"bheap\0":
            raise self.mismatch()
        self.fields = {}
        for entry in struct.iter_unpack("24s2s2s", read(address + 20, size)):
            self.fields[entry[0].rstrip(b"\0").decode()] = (number(entry[1]), number(entry[2]))

    def mismatch(self):
        return gdb.GdbError("These commands are for another libbheap than that in %s." % self.file)

    def field(self, name):
        if name not in self.fields:
            raise self.mismatch()
        return self.fields[name]

    def offset(self, name):
        return self.field(name)[0]

    def constant(self, name):
        return self.field(name)[0]

    def take(self, data, name):
        """A field of a structure that was read."""
        offset, size = self.field(name)
        return number(data[offset : offset + size])

    def read(self, address, name):
        """A field of the structure at an address."""
        offset, size = self.field(name)
        return number(read(address + offset, size))


class Library:
    """A program or shared library that the library is linked into."""

    def __init__(self, places, file):
        self.table = Table(places[".note.bheap"], file)
        self.places = places

    def heap(self, section):
        """The address of the heap that a variable in a section of its own points to, or 0."""
        if section not in self.places:
            return 0
        return number(read(self.places[section], self.table.field(POINTER)[1]))


def libraries():
    """Every one in the program."""
    if not gdb.selected_inferior().pid:
        raise gdb.GdbError("There is no memory to look at: start the program, or load a core file.")
    Order.ask()
    files = {}
    for line in gdb.execute("info files", to_string=True).splitlines():
        found = SECTION.match(line)
        if found:
            files.setdefault(found.group(3) or "this program", {})[found.group(2)] = int(
                found.group(1), 16
            )
    result = [Library(places, file) for file, places in files.items() if ".note.bheap" in places]
    if not result:
        raise gdb.GdbError("libbheap is not in this program, or is without its note .note.bheap.")
    return result


def heaps_of(found, section):
    """Table and address of each heap that a section leads to."""
    return [(one.table, one.heap(section)) for one in found if one.heap(section)]


def heaps_named(text):
    """A name for messages; table and address of each heap that may be meant by HEAP."""
    found = libraries()
    default = heaps_of(found, ".bheap.default")
    malloc = heaps_of(found, ".bheap.malloc")
    if not text and default:
        return "the default heap", default
    if text in ("", "malloc") and malloc:
        return "the heap of libbheap-malloc.so", malloc
    if not text:
        raise gdb.GdbError("There is no default heap: init_heap() was not called.")
    value = expression(text)
    try:
        return text, [(one.table, int(value) & MASK64) for one in found]
    except (gdb.error, TypeError) as error:
        raise gdb.GdbError("%s is not a heap: %s" % (text, error))


# ---- a heap ----


class Heap:
    """The block map of a heap, and what is derived from it. Granules as in granule.h."""

    def __init__(self, text):
        self.name, candidates = heaps_named(text)
        for table, address in candidates:
            if self.open(table, address):
                return
        raise gdb.GdbError("%s is not a heap." % self.name)

    def open(self, table, address):
        """Looks through a handle; false if it is none."""
        self.table = table
        fields = ("bins.base", "bins.heads", "bins.count", "bins.exact_limit", "bins.span")
        fields += ("bins.shift", "map.words", "control", "end")
        try:
            for field in fields:
                offset, size = table.field("core." + field)
                name = field.split(".")[-1]
                setattr(self, name, number(read_raw(address + offset, size)))
        except gdb.MemoryError:
            return False
        self.address_of_handle = address
        self.first = table.constant("first")
        self.shift_of_granule = table.constant("granule_shift")
        self.words_count = (self.end >> 6) + 1
        return (
            self.span > 0
            and self.end == self.first + self.span
            and self.shift < 32
            and self.exact_limit == 2 << self.shift
            and 0 < self.count <= BINS_MAX
            and not self.base & (1 << self.shift_of_granule) - 1
            and self.words != 0
        )

    def field(self, name):
        return self.table.read(self.address_of_handle, name)

    def of_control(self, name):
        return self.table.read(self.control, "control." + name)

    def limit(self):
        shared = self.field("shared")
        if shared:
            return self.table.read(shared, "shared.budget.limit")
        return self.field("budget.limit")

    def bytes_of(self, granules):
        return granules << self.shift_of_granule

    def address(self, granule):
        return self.base + self.bytes_of(granule)

    def read_words(self, index, count):
        """The start bits and the used bits of some map words."""
        pairs = read_numbers(self.words + 16 * index, 2 * count, 8)
        return (
            pairs[self.table.offset("word.start") // 8 :: 2],
            pairs[self.table.offset("word.used") // 8 :: 2],
        )

    def map_words(self):
        """Index, start bits and used bits of each map word that is not zero."""
        for index in range(0, self.words_count, CHUNK):
            count = min(CHUNK, self.words_count - index)
            for word, (starts, used) in enumerate(zip(*self.read_words(index, count)), index):
                if starts or used:
                    yield word, starts, used

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
    for row, (granule, granules, used) in enumerate(heap.blocks(), 1):
        size = heap.bytes_of(granules)
        begin = heap.address(granule)
        print(
            "%-8d%-8s%-8s0x%016x  0x%016x  %d"
            % (row, status(used), status(before), begin, begin + size - 1, size)
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
    if heap.limit():
        print("Limit:              %d bytes" % heap.limit())


# ---- check: as verify.c and check.c of the library, with their words, and their order ----

INDEX = "the index is damaged"
MAP = "the block map is damaged"
COUNT = "a counter disagrees with the block map"
OVERFLOW = "bytes past the block were overwritten"
WRITTEN_FREE = "written to after free"
BIN_BITS = "the bin bits disagree with the bins"


def fault_text(kind, detail=None, address=0, size=0, at=0):
    """As fault.c composes it."""
    text = "bheap: "
    if address:
        is_known = size and kind != INDEX and not at
        text += "%#x%s: " % (address, " (%d bytes)" % size if is_known else "")
    text += kind
    if detail:
        text += ": " + detail
    if at:
        text += " at +%d" % (at - address)
    return text


def check_sentinels(heap):
    def bits(granule):
        starts, used = heap.read_words(granule >> 6, 1)
        return starts[0] >> (granule & 63) & 1, used[0] >> (granule & 63) & 1

    if bits(heap.first - 1) != (1, 1) or bits(heap.end) != (1, 1):
        yield fault_text(MAP, "a sentinel is missing")
    if not bits(heap.first)[0]:
        yield fault_text(MAP, "no block starts at the front")
    if any(any(sum(heap.read_words(index, 1), ())) for index in (-1, heap.words_count)):
        yield fault_text(MAP, "bits outside the heap")


def check_words(heap):
    low, high = heap.first - 1, heap.end
    for index, starts, used in heap.map_words():
        if not starts:
            continue  # inside a block: perhaps a boundary tag
        allowed = MASK64
        if index == low >> 6:
            allowed &= MASK64 << (low & 63)
        if index == high >> 6:
            allowed &= MASK64 >> (63 - (high & 63))
        wrong = used & ~starts & MASK64
        if (starts | used) & ~allowed & MASK64:
            yield fault_text(MAP, "bits outside the heap")
        elif wrong:
            granule = index << 6 | (wrong & -wrong).bit_length() - 1
            yield fault_text(MAP, "used where no block starts", heap.address(granule))


def check_tags(heap):
    """The first and the last word inside a block name those in which it begins and ends."""
    words = {index: (starts, used) for index, starts, used in heap.map_words()}
    last = 0
    for index in sorted(index for index, (starts, _) in words.items() if starts and index):
        tag = index << 32 | last
        inside = (last + 1, index - 1) if index - last > 1 else ()
        if any(words.get(word, (0, 0))[1] != tag for word in inside):
            start = last << 6 | max(words.get(last, (0, 0))[0].bit_length() - 1, 0)
            yield fault_text(
                INDEX, "a boundary tag differs from the map", heap.address(start)
            )
            return
        last = index


def check_neighbours(heap):
    """The last one first: bheap_check() names that."""
    unmerged = []
    before = True
    for granule, _, used in heap.blocks():
        if not used and not before:
            unmerged.append(granule)
        before = used
    for granule in reversed(unmerged):
        yield fault_text(MAP, "two free blocks are neighbours", heap.address(granule))


def check_control(heap):
    victim = heap.of_control("victim")
    top, used, live, victim_granules = heap.end, 0, 0, 0
    for granule, granules, is_used in heap.blocks():
        if is_used:
            used += granules
            live += 1
        elif granule + granules == heap.end:
            top = granule
        elif granule == victim:
            victim_granules = granules
    counted = heap.of_control("used")
    if counted != used:
        yield fault_text(COUNT, "the bytes in use are miscounted") + " (%d, by the map %d)" % (
            heap.bytes_of(counted),
            heap.bytes_of(used),
        )
    counted = heap.of_control("allocations") - heap.of_control("frees") & MASK64
    if counted != live:
        yield fault_text(COUNT, "the live blocks are miscounted") + " (%d, by the map %d)" % (
            counted,
            live,
        )
    if heap.of_control("top") != top:
        yield fault_text(INDEX, "the top is not the last free block", heap.address(top))
    counted = heap.of_control("victim_granules")
    if counted != victim_granules or bool(victim) != bool(counted):
        yield fault_text(INDEX, "the victim is no block of its size")
    if heap.of_control("peak") < used:
        yield fault_text(COUNT, "the bytes in use are miscounted") + " (the peak is lower)"


def bin_of(heap, granules):
    """As in bins.h: the bin of a size."""
    if granules < heap.exact_limit:
        return granules
    scale = granules.bit_length() - 1 - heap.shift
    return (scale << heap.shift) + (granules >> scale)


def node_is_right(heap, node, granules, bin_number, previous):
    size = heap.table.take(node, "node.granules")
    check = heap.table.take(node, "node.check")
    if granules >= heap.exact_limit and (size != granules or check != ~granules & 0xFFFFFFFF):
        return False
    return (
        heap.table.take(node, "node.links.previous") == previous
        and bin_of(heap, granules) == bin_number
    )


def bin_walk(heap, bin_number, block, left):
    """Follows a bin, taking each block off those left. Where it leads astray, or None."""
    previous = 0
    while block:
        granules = left.pop(block, None)
        if not granules:
            return previous
        node = read(heap.address(block), heap.bytes_of(1))
        if not node_is_right(heap, node, granules, bin_number, previous):
            return previous
        previous, block = block, heap.table.take(node, "node.links.next")
    return None


def check_bins(heap):
    """Each free block but the victim and the top is in the bin of its size, once."""
    exceptions = (heap.of_control("victim"), heap.of_control("top"))
    left = {
        granule: granules
        for granule, granules, used in heap.blocks()
        if not used and granule not in exceptions
    }
    heads = read_numbers(heap.heads, heap.count, 4)
    words = heap.control + heap.table.offset("control.bits.words")
    bits = read_numbers(words, heap.count + 63 >> 6, 8)
    summary = heap.of_control("bits.summary")
    broken = False
    for bin_number in range(1, heap.count):  # bin 0 stands in for what is not there
        astray = bin_walk(heap, bin_number, heads[bin_number], left)
        if astray is not None:
            broken = True
            yield fault_text(
                INDEX,
                "a bin has no free block of its size",
                heap.address(astray) if astray else 0,
            )
        marked = bits[bin_number >> 6] >> (bin_number & 63) & 1
        summed = summary >> (bin_number >> 6) & 1
        if marked != bool(heads[bin_number]) or (
            marked and bin_number >= heap.exact_limit and not summed
        ):
            yield fault_text(INDEX, BIN_BITS)
    for granule in () if broken else left:
        yield fault_text(INDEX, "a free block is in no bin") + " (%#x)" % heap.address(granule)
    last = heap.count - 1
    if bits[0] & 1 or summary >> (last >> 6) >> 1 or bits[last >> 6] >> (last & 63) >> 1:
        yield fault_text(INDEX, BIN_BITS)


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


def check_trailer(heap, key, granule, granules):
    own = heap.table.constant("trailer_granules")
    end = heap.address(granule + granules - own)
    room = heap.bytes_of(granules - own)
    trailer = read(end, heap.bytes_of(own))
    seal, owner, slack_size = (
        heap.table.take(trailer, "trailer." + name) for name in ("seal", "owner", "slack_size")
    )
    is_good = (
        granules > own and seal == seal_of(key, granule, owner, slack_size) and slack_size <= room
    )
    slack = bytes([heap.table.constant("slack_byte")]) * (slack_size if is_good else 0)
    if not is_good or (slack and read(end - slack_size, slack_size) != slack):
        yield fault_text(OVERFLOW, None, heap.address(granule), room - len(slack))


def check_front(heap, key):
    """The seal before the first block of a heap in a buffer."""
    if heap.field("region.start"):
        return
    granule = heap.first - 1
    trailer = read(heap.address(granule), heap.bytes_of(1))
    seal, owner, slack_size = (
        heap.table.take(trailer, "trailer." + name) for name in ("seal", "owner", "slack_size")
    )
    if seal != seal_of(key, granule, owner, slack_size):
        yield fault_text(OVERFLOW, "those in front of the first block")


def is_trimmed(heap, filled, granule):
    """Whether the granule was decommitted since it was filled."""
    unit = granule - heap.first >> heap.table.constant("unit_shift")
    units = filled + 8 * ((heap.end >> 6) + 1)
    return read_numbers(units + 8 * (unit >> 6), 1, 8)[0] >> (unit & 63) & 1


def filled_granules(heap, filled, granule, granules):
    """Those of a free block that hold the pattern, by the bits that say so."""
    first = granule >> 6
    last = granule + granules - 1 >> 6
    for index in range(first, last + 1, CHUNK):
        count = min(CHUNK, last + 1 - index)
        for word, bits in enumerate(read_numbers(filled + 8 * index, count, 8), index):
            while bits:
                bit = bits & -bits
                one = word << 6 | bit.bit_length() - 1
                if granule <= one < granule + granules:
                    yield one
                bits ^= bit


def check_fill(heap, filled, granule, granules):
    """As fill.c: what the index has in the first granule of a block in a bin is none of it."""
    half = heap.bytes_of(1) // 2
    in_bin = granule not in (heap.of_control("top"), heap.of_control("victim"))
    for one in filled_granules(heap, filled, granule, granules):
        data = read(heap.address(one), 2 * half)
        begin = 0
        if in_bin and one == granule:
            size = heap.table.take(data, "node.granules")
            check = heap.table.take(data, "node.check")
            begin = 2 * half if size == ~check & 0xFFFFFFFF else half
        byte = 0 if is_trimmed(heap, filled, one) else heap.table.constant("fill_byte")
        for at in range(begin, 2 * half):
            if data[at] != byte:
                yield fault_text(
                    WRITTEN_FREE, address=heap.address(granule), at=heap.address(one) + at
                )
                return


def check_guards(heap):
    if not heap.field("trailers"):
        return
    key, filled = heap.field("key"), heap.field("filled")
    yield from check_front(heap, key)
    for granule, granules, used in heap.blocks():
        if used:
            yield from check_trailer(heap, key, granule, granules)
        elif filled:
            yield from check_fill(heap, filled, granule, granules)


def sum_add(total, word):
    total = (total ^ word) * 0x9E3779B97F4A7C15 & MASK64
    return total ^ total >> 32


def check_rest(heap):
    """The sum that was stored when the last process closed the heap."""
    shared = heap.field("shared")
    if heap.table.read(shared, "shared.inside") != heap.table.constant("at_rest"):
        return
    total = 0
    for index, starts, used in heap.map_words():
        if starts:
            total = sum_add(sum_add(sum_add(total, index), starts), used & starts)
    if total != heap.table.read(shared, "shared.map_sum"):
        yield fault_text(MAP, "it is not the one that was closed")


CHECKS = (
    check_sentinels,
    check_words,
    check_tags,
    check_neighbours,
    check_control,
    check_bins,
    check_guards,
)
# The rest may be under change by those who write.
CHECKS_READ_ONLY = (check_sentinels, check_words, check_rest)


def is_inside(heap):
    shared = heap.field("shared")
    return shared and heap.table.read(shared, "shared.inside") == heap.table.constant("inside")


def check(heap):
    faults = 0
    gdb.set_convenience_variable("bheap_faults", None)
    if is_inside(heap):
        print("%s: a process is inside a call, or died there: the next one recovers" % heap.name)
    for one in CHECKS_READ_ONLY if heap.field("read_only") else CHECKS:
        for fault in one(heap):
            print(fault)
            faults += 1
    gdb.set_convenience_variable("bheap_faults", faults)
    print("%s: %s fault%s" % (heap.name, faults or "no", "s" if faults > 1 else ""))


# ---- block ----


def block_text(heap, block):
    granule, granules, used = block
    return "%#x, %d bytes, %s" % (heap.address(granule), heap.bytes_of(granules), status(used))


def block(heap, address):
    granule = heap.first + ((address - heap.address(heap.first)) >> heap.shift_of_granule)
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
    if not found:
        raise gdb.GdbError("%s has no block there: its block map is damaged." % heap.name)
    print("block:    %s" % block_text(heap, found))
    if address != heap.address(found[0]):
        offset = address - heap.address(found[0])
        print("          the address is %d bytes after its start" % offset)
    print("previous: %s" % (block_text(heap, before) if before else "none"))
    print("next:     %s" % (block_text(heap, one) if one else "none"))


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
    """Print every broken invariant of a heap: bheap check [HEAP].
Sets $bheap_faults to their number."""

    def __init__(self):
        super().__init__("bheap check", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, text, from_tty):
        check(Heap(text))


class Block(gdb.Command):
    """Print the block that an address is in: bheap block ADDRESS [HEAP].
Quote an argument that has spaces."""

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
