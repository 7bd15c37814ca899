"""What one call of `read` has gathered, in the vendor's order: records, and the keys of deleted records."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from json.decoder import scanstring
from typing import Iterator

from .records import BLANK, ESCAPES, Rows, one_line, value_at
from .types import Batch

Path = tuple[str, ...]
"""Names of members, from the outermost on."""
Paths = tuple[Path, ...]
Values = tuple[str, ...]

_DEEPEST = 8
"""A key that lies deeper in objects is compared as it is written."""
_SURROGATE = re.compile("[\ud800-\udfff]").search
_NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?").fullmatch


class Found:
    """The rows of the pages read so far. Add records to `upserts`, and call `delete` for each deleted record, in the
    order in which the vendor reports them. Within one batch upserts count before deletes, so `finish` drops the delete
    of a record that was added after it: deleted, then created again."""

    def __init__(self) -> None:
        self.upserts = Rows()
        self._deletes = Rows()
        self._upserts_before: list[int] = []
        """For each delete, how many upserts came before it."""

    @property
    def count(self) -> int:
        return self.upserts.count + self._deletes.count

    @property
    def bytes(self) -> int:
        return self.upserts.bytes + self._deletes.bytes

    def delete(self, key: object) -> None:
        """A deleted record: an object with its primary key fields only."""
        self._deletes.push(key)
        self._upserts_before.append(self.upserts.count)

    def delete_bytes(self, line: bytes) -> None:
        """The same as JSON on one line, for a key that has to stay as the vendor wrote it."""
        self._deletes.push_bytes(line)
        self._upserts_before.append(self.upserts.count)

    def finish(self, cursor: bytes, done: bool) -> Batch:
        """The batch; `read_pages` calls it. The next batch begins at the cursor."""
        deletes = self._deletes if self._is_settled() else self._still_deleted()
        return Batch(self.upserts.into_chunk(), deletes.into_chunk() if deletes.count else None, cursor, done)

    def mark(self) -> Mark:
        """A place to go back to."""
        return Mark(self.upserts.mark(), self._deletes.mark())

    def rewind(self, mark: Mark) -> None:
        self.upserts.rewind(mark.upserts)
        self._deletes.rewind(mark.deletes)
        del self._upserts_before[self._deletes.count :]

    def _is_settled(self) -> bool:
        """True when no record came after a delete: then no record has to be parsed."""
        return not self._upserts_before or self._upserts_before[0] >= self.upserts.count

    def _still_deleted(self) -> Rows:
        last: dict[Paths, dict[Values, int]] = {}
        kept = Rows()
        for line, before in zip(self._deletes.lines(0), self._upserts_before):
            paths, key = _key(line)
            if paths not in last:
                last[paths] = self._last_upserts(paths)
            if last[paths].get(key, -1) < before:
                kept.push_bytes(line)
        return kept

    def _last_upserts(self, paths: Paths) -> dict[Values, int]:
        """Where each key was upserted last, after the first delete."""
        last: dict[Values, int] = {}
        first = self._upserts_before[0]
        for at, line in enumerate(self.upserts.lines(first), first):
            key = _values(_members(line), paths)
            if key:
                last[key] = at
        return last


@dataclass(frozen=True)
class Mark:
    upserts: tuple[int, int]
    deletes: tuple[int, int]


def _key(line: bytes) -> tuple[Paths, Values]:
    """The fields of a delete and their values; nothing when it has none or cannot be read."""
    leaves = list(_leaves(_members(line), ()))
    return tuple(path for path, _ in leaves), tuple(value for _, value in leaves)


def _leaves(members: dict[str, str], path: Path) -> Iterator[tuple[Path, str]]:
    for name, value in members.items():
        inner = _object(value) if len(path) < _DEEPEST else {}
        if inner:
            yield from _leaves(inner, (*path, name))
        else:
            yield (*path, name), _comparable(value)


def _values(members: dict[str, str], paths: Paths) -> Values | None:
    """A record's values at these paths; none when one is missing."""
    found = []
    for *parents, name in paths:
        here = members
        for parent in parents:
            here = _object(here.get(parent, ""))
        if name not in here:
            return None
        found.append(_comparable(here[name]))
    return tuple(found)


def _members(line: bytes) -> dict[str, str]:
    return _object(line.decode(errors=ESCAPES))


def _object(text: str) -> dict[str, str]:
    """The members of an object, values as they are written; nothing when the text is not an object. Of equal names the
    last one counts."""
    members: dict[str, str] = {}
    try:
        at = _after(text, 0, "{")
        if text[BLANK(text, at).end()] == "}":
            return {}
        while True:
            name, at = scanstring(text, _after(text, at, '"'), True)
            start = BLANK(text, _after(text, at, ":")).end()
            _, end = value_at(text, start)
            members[name] = text[start:end]
            at = BLANK(text, end).end()
            if text[at] == "}":
                return members
            at = _after(text, at, ",")
    except (ValueError, StopIteration, IndexError, RecursionError):
        return {}


def _after(text: str, at: int, mark: str) -> int:
    at = BLANK(text, at).end()
    if text[at] != mark:
        raise ValueError(f"`{mark}` was expected")
    return at + 1


def _comparable(value: str) -> str:
    """A value so that equal JSON values are equal texts. Arrays are compared as they are written."""
    if value.startswith('"'):
        text = json.loads(value)
        # Half a surrogate pair is not a character; in some languages it cannot be decoded.
        return value if _SURROGATE(text) else f'"{text}'
    number = _NUMBER(value)
    return _decimal(value, *number.groups("")) if number else one_line(value)


def _decimal(text: str, sign: str, whole: str, fraction: str, exponent: str) -> str:
    """A number by its digits, since 7, 7.0 and 70e-1 are equal, and large integers differ in their last digit."""
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return "0"
    if len(exponent) > 9:
        return text
    kept = digits.rstrip("0")
    power = int(exponent or "0") - len(fraction) + len(digits) - len(kept)
    return f"{sign}{kept}e{power}"
