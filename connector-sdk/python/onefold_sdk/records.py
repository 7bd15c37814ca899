"""Cutting records out of a vendor's page as they were written, and gathering them as JSON lines. A record is never
printed anew, because printing changes the spelling of numbers. The cutting runs in the interpreter's own JSON parser,
which tells where each value ends."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from json.decoder import scanstring
from typing import Any, Callable

from .types import Chunk, TransientError


def _nothing(_: str) -> None:
    """`NaN`, `Infinity` and `-Infinity`, which some vendors write where there is no number. Such a value costs nobody
    else: the record passes through as it was written, and the hub leaves the field out."""


ESCAPES = "surrogateescape"
BLANK = re.compile(r"[ \t\r\n]*").match
_MARK = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"|[{}\[\]]')
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[ \t\r\n]+')
_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder(parse_constant=_nothing).scan_once
# Numbers of thousands of digits are more than `int` takes.
_scan_long: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder(parse_constant=_nothing, parse_int=float).scan_once


@dataclass(frozen=True, slots=True)
class Row:
    """One record as the vendor wrote it."""

    bytes: bytes
    value: Any
    """The record, parsed: for the few fields that the connector itself needs. None where it is nested too deeply."""

    def get(self, name: str) -> Any:
        """A field, parsed; none when there is no such field or the record is no object."""
        return self.value.get(name) if isinstance(self.value, dict) else None

    def raw(self, name: str) -> str | None:
        """A field as it was written, such as `1.10`; none when there is no such field."""
        text = self.bytes.decode(errors=ESCAPES)
        at = BLANK(text, BLANK(text, 0).end() + 1).end()
        while text[at] == '"':
            key, at = scanstring(text, at + 1, True)
            start = BLANK(text, BLANK(text, at).end() + 1).end()
            _, end = value_at(text, start)
            if key == name:
                return text[start:end]
            at = BLANK(text, BLANK(text, end).end() + 1).end()
            if at >= len(text):
                break
        return None


@dataclass(frozen=True)
class Page:
    """A page cut into its records and the rest."""

    rows: list[Row]
    _envelope: str

    def envelope(self) -> Any:
        """What surrounds the rows, such as a paging cursor. The array itself reads as empty."""
        return json.loads(self._envelope)

    def append_to(self, rows: Rows) -> None:
        """Adds every record."""
        for row in self.rows:
            rows.push_raw(row)


def to_json(value: object) -> bytes:
    """JSON as it is sent. Half a character, which JSON can spell and bytes cannot, stays spelled."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


class Rows:
    """Records as JSON lines."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self.bytes = 0

    @property
    def count(self) -> int:
        return len(self._lines)

    def push_raw(self, row: Row) -> None:
        """A record as it is, without its line breaks."""
        self.push_bytes(row.bytes)

    def push_bytes(self, line: bytes) -> None:
        """A record as JSON on one line."""
        self._lines.append(line)
        self.bytes += len(line) + 1

    def push(self, record: object) -> None:
        """A record of the connector's own making."""
        self.push_bytes(to_json(record))

    def lines(self, first: int) -> list[bytes]:
        """The records from one on."""
        return self._lines[first:]

    def into_chunk(self) -> Chunk:
        self._lines.append(b"")
        data = b"\n".join(self._lines)
        self._lines.pop()
        return Chunk(len(self._lines), data)

    def mark(self) -> tuple[int, int]:
        """A place to go back to."""
        return len(self._lines), self.bytes

    def rewind(self, mark: tuple[int, int]) -> None:
        del self._lines[mark[0] :]
        self.bytes = mark[1]


def cut(body: bytes, path: list[str]) -> Page:
    """Cuts the array at a path of object keys; an empty path means that the page is the array itself. Raises
    `TransientError` when the array is missing or the page is cut short or garbage: next time it may be whole."""
    cutter = _Cutter(body)
    try:
        envelope = cutter.page(path)
        if BLANK(cutter.text, cutter.at).end() != len(cutter.text):
            raise ValueError("more than one document")
        json.loads(envelope)
    except (ValueError, StopIteration, IndexError, RecursionError) as error:
        message = f"the answer of {len(body)} bytes is no whole JSON document; it went wrong near byte {cutter.at}"
        raise TransientError("sdk.page", message) from error
    if cutter.arrays != 1:
        raise TransientError("sdk.page", f"the answer has no array `{'.'.join(path)}`")
    return Page(cutter.rows, envelope)


def value_at(text: str, at: int) -> tuple[Any, int]:
    """A value and where it ends; none for one that is nested too deeply to be parsed."""
    try:
        return _scan(text, at)
    except RecursionError:
        return None, _nested_end(text, at)
    except ValueError as error:
        if "integer string conversion" not in str(error):
            raise
        return _scan_long(text, at)


def _nested_end(text: str, at: int) -> int:
    depth = 0
    for token in _MARK.finditer(text, at):
        depth += (token[0] in "{[") - (token[0] in "}]")
        if depth == 0:
            return token.end()
    raise ValueError("cut short")


def one_line(text: str) -> str:
    """A record that was written over several lines: no white space between its tokens."""
    return _TOKEN.sub(lambda token: token[0] if token[0].startswith('"') else "", text)


class _Cutter:
    """A reader that moves over JSON; it raises where the document is broken."""

    def __init__(self, body: bytes) -> None:
        # What is no UTF-8 passes through unchanged; whether it may is the hub's to say.
        self.text = body.decode(errors=ESCAPES)
        self.at = 0
        self.rows: list[Row] = []
        self.arrays = 0
        """How often the wanted array was met; a document that holds it twice is no answer either."""
        self._source = body if body.isascii() else None
        self._broken = b"\n" in body or b"\r" in body

    def page(self, path: list[str]) -> str:
        """Finds the rows and gives the rest of the document."""
        first = self._peek()
        if not path:
            return self._rows() if first == "[" else self._keep()
        if first != "{":
            return self._keep()
        self.at += 1
        kept: list[str] = []
        if self._peek() == "}":
            self.at += 1
            return "{}"
        while True:
            start = self.at
            self._take('"')
            key, self.at = scanstring(self.text, self.at, True)
            name = self.text[start : self.at]
            self._take(":")
            kept.append(f"{name}:{self.page(path[1:]) if key == path[0] else self._keep()}")
            if self._take(",}") == "}":
                return "{" + ",".join(kept) + "}"
            self._peek()

    def _rows(self) -> str:
        self.arrays += 1
        self.at += 1
        if self._peek() == "]":
            self.at += 1
            return "[]"
        text, source = self.text, self._source
        at = self.at
        while True:
            try:
                value, end = _scan(text, at)
            except (ValueError, RecursionError):
                value, end = value_at(text, at)
            line = source[at:end] if source is not None else text[at:end].encode(errors=ESCAPES)
            if self._broken and (b"\n" in line or b"\r" in line):
                line = one_line(text[at:end]).encode(errors=ESCAPES)
            self.rows.append(Row(line, value))
            self.at = end
            if self._take(",]") == "]":
                return "[]"
            self._peek()
            at = self.at

    def _keep(self) -> str:
        self._peek()
        start = self.at
        _, self.at = value_at(self.text, start)
        return self.text[start : self.at]

    def _peek(self) -> str:
        if self.text[self.at] in " \t\r\n":
            self.at = BLANK(self.text, self.at).end()
        return self.text[self.at]

    def _take(self, wanted: str) -> str:
        found = self._peek()
        if found not in wanted:
            raise ValueError(f"one of {wanted} was expected")
        self.at += 1
        return found
