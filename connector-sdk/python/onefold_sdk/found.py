"""What one call of `read` has gathered, in the vendor's order: records, and the keys of deleted records."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from json.decoder import scanstring
from typing import Callable, Iterator

from .records import BLANK, ESCAPES, Rows, one_line, value_at
from .types import Batch

Path = tuple[str, ...]
"""Names of members, from the outermost on."""
Paths = tuple[Path, ...]
Values = tuple[str, ...]

_DEEPEST = 8
"""A key that lies deeper in objects is compared as it is written."""
_DIGITS = 40
"""Integers of at most so many digits are compared by all of their digits."""
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
        deletes = self._deletes.lines(0)
        keys = [_key(line) for line in deletes]
        last: dict[Paths, dict[Values, int]] = {}
        for paths, key in keys:
            last.setdefault(paths, {})[key] = -1
        for paths, upserts in last.items():
            self._find_upserts(paths, upserts)
        kept = Rows()
        for line, (paths, key), before in zip(deletes, keys, self._upserts_before):
            if last[paths][key] < before:
                kept.push_bytes(line)
        return kept

    def _find_upserts(self, paths: Paths, last: dict[Values, int]) -> None:
        """Notes where each of these keys was upserted last, after the first delete."""
        first = self._upserts_before[0]
        quick = _at_the_start(paths)
        for at, line in enumerate(self.upserts.lines(first), first):
            found = quick(line) if quick else None
            key = (found[1].decode(),) if found else _values(line, paths)
            if key in last and key:
                last[key] = at


@dataclass(frozen=True)
class Mark:
    upserts: tuple[int, int]
    deletes: tuple[int, int]


def _key(line: bytes) -> tuple[Paths, Values]:
    """The fields of a delete and their values; nothing when it has none or cannot be read."""
    leaves = list(_leaves(_object(line.decode(errors=ESCAPES)), ()))
    return tuple(path for path, _ in leaves), tuple(value for _, value in leaves)


def _leaves(members: dict[str, str], path: Path) -> Iterator[tuple[Path, str]]:
    for name, value in members.items():
        inner = _object(value) if len(path) < _DEEPEST else {}
        if inner:
            yield from _leaves(inner, (*path, name))
        else:
            yield (*path, name), _comparable(value)


def _at_the_start(paths: Paths) -> Callable[[bytes], re.Match[bytes] | None] | None:
    """Finds a key that is one field, when it is the first of a record and is plain, since most are: a short integer or
    a string without escapes. In this form a value equals its `_comparable`, but for a quote at the end."""
    if len(paths) != 1 or len(paths[0]) != 1:
        return None
    name = re.escape(json.dumps(paths[0][0], ensure_ascii=False).encode(errors=ESCAPES))
    return re.compile(rb'\{' + name + rb':((?:0|-?[1-9][0-9]{0,39})(?=[,}])|"[^"\\\x00-\x1f\x80-\xff]*(?="[,}]))').match


def _values(line: bytes, paths: Paths) -> Values | None:
    """A record's values at these paths; none when one is missing."""
    found = []
    record = line.decode(errors=ESCAPES)
    for path in paths:
        here: str | None = record
        for name in path:
            here = _object(here, name).get(name) if here else None
        if here is None:
            return None
        found.append(_comparable(here))
    return tuple(found)


def _object(text: str, wanted: str | None = None) -> dict[str, str]:
    """The members of an object, up to the wanted one, values as they are written; nothing when the text is not an
    object. Of equal names the first one counts."""
    members: dict[str, str] = {}
    try:
        at = _after(text, 0, "{")
        if text[BLANK(text, at).end()] == "}":
            return {}
        while True:
            name, at = scanstring(text, _after(text, at, '"'), True)
            start = BLANK(text, _after(text, at, ":")).end()
            _, end = value_at(text, start)
            members.setdefault(name, text[start:end])
            at = BLANK(text, end).end()
            if text[at] == "}" or (text[at] == "," and name == wanted):
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
    is_short = power >= 0 and len(kept) + power <= _DIGITS
    return sign + kept + ("0" * power if is_short else f"e{power}")
