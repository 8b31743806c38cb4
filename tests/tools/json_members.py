#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares JSON that bheap printed with the objects of the section JSON of its page.

json_members.py PAGE FILE... - the name of a file begins with the type of the object in it and a dot. Of several
objects in a file, those before the last one are samples. Every member that was printed must be in the page, with
its type; every member in the page, each type that it may have, and its absence if it is optional, must have been
printed.
"""
import json
import re
import sys

SIMPLE = {
    "text": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: type(value) is int and 0 <= value < 2**64,
    "bytes": lambda value: type(value) is int and 0 <= value < 2**64,
    "seconds": lambda value: isinstance(value, float) and value >= 0,
    "share": lambda value: isinstance(value, float),
    "null": lambda value: value is None,
}
# Printed only if a process ends between two looks at it.
RACES = {("show", "resident", "null")}
errors = []


class Member:
    def __init__(self, text):
        self.optional = text.startswith("optional, ")
        self.types = text.removeprefix("optional, ").split(" or ")
        self.seen = set()  # of its types, and "absent"


def page_read(path):
    """The members by the type of the object and their name."""
    kinds, members = {}, None
    with open(path, encoding="utf-8") as page:
        for line in page:
            heading = re.match(r'\.S[SH] (?:"Object (\w+)")?', line)
            tag = re.match(r"\.IR ([\w.]+) \\~\((.*)\)$", line)
            if heading:
                members = kinds.setdefault(heading[1], {}) if heading[1] else None
            elif tag and members is not None:
                if tag[1] in members:
                    errors.append(f"the page has {tag[1]} twice")
                members[tag[1]] = Member(tag[2].replace("\\~", " "))
    return kinds


def object_make(pairs):
    """Without what json does by default: the last of two members of one name would hide the first."""
    names = [name for name, value in pairs]
    if len(set(names)) != len(names):
        errors.append(f"a member is there twice: {names}")
    return dict(pairs)


def file_read(path):
    """The objects in a file, which is UTF-8."""
    with open(path, "rb") as stream:
        text = stream.read().decode("utf-8").strip()
    decoder, objects = json.JSONDecoder(object_pairs_hook=object_make), []
    while text:
        value, end = decoder.raw_decode(text)
        objects.append(value)
        text = text[end:].lstrip()
    return objects


def fits(kinds, kind, value, where):
    """True if a value is of a type; notes what is in it."""
    if kind in SIMPLE:
        return SIMPLE[kind](value)
    if kind == "object of text":
        return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    if kind.startswith("array of "):
        if isinstance(value, list):
            for part in value:
                object_check(kinds, kind.removeprefix("array of "), part, where)
        return isinstance(value, list)
    if isinstance(value, dict) and kind != "object":
        object_check(kinds, kind, value, where)
    return isinstance(value, dict)


def members_check(kinds, members, value, where, prefix):
    """Those of an object, or of an object in it whose members have names with a dot."""
    for name, part in value.items():
        member = members.get(prefix + name)
        if member is None:
            errors.append(f"{where}: {prefix}{name} is not in the page")
            continue
        found = [kind for kind in member.types if fits(kinds, kind, part, f"{where}.{prefix}{name}")]
        if not found:
            errors.append(f"{where}: {prefix}{name} is {part!r:.60}, not {' or '.join(member.types)}")
        member.seen.update(found)
        if "object" in found:
            members_check(kinds, members, part, where, prefix + name + ".")
    for name, member in members.items():
        if name.startswith(prefix) and "." not in name[len(prefix):] and name[len(prefix):] not in value:
            member.seen.add("absent")
            if not member.optional:
                errors.append(f"{where}: {name} is absent")


def object_check(kinds, kind, value, where):
    if kind not in kinds:
        errors.append(f"{where}: the page has no object {kind}")
    elif not isinstance(value, dict):
        errors.append(f"{where}: {value!r:.60} is no object {kind}")
    else:
        members_check(kinds, kinds[kind], value, where, "")


def page_check(kinds):
    """Everything in it was printed."""
    for kind, members in kinds.items():
        for name, member in members.items():
            wanted = member.types + (["absent"] if member.optional else [])
            for what in wanted:
                if what not in member.seen and (kind, name, what) not in RACES:
                    errors.append(f"the page has {name} of {kind}, and no run printed it as {what}")


def main():
    kinds = page_read(sys.argv[1])
    for path in sys.argv[2:]:
        try:
            objects = file_read(path)
        except ValueError as error:
            errors.append(f"{path}: no JSON: {error}")
            continue
        for value in objects[:-1]:
            object_check(kinds, "sample", value, path)
        if not objects:
            errors.append(f"{path}: nothing")
        for value in objects[-1:]:
            object_check(kinds, path.rsplit("/", 1)[-1].split(".")[0], value, path)
    page_check(kinds)
    for error in sorted(set(errors)):
        print(error)
    return bool(errors)


sys.exit(main())
