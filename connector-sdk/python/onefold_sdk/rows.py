"""What a destination is handed: rows by their match key, and members by their email. Those that cannot be sent become
failures at once. How a vendor spells a row is the connector's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .http import Vendor
from .types import AudienceChange, Failure, WriteRequest, plain


@dataclass(frozen=True)
class KeyedRow:
    """A row of a `write`."""

    index: int
    """Its place in the request."""
    key: str
    """As it was given; `folded` compares."""
    fields: dict[str, Any]
    """Without the key."""
    line: bytes
    """The row as it was given, with its key."""


def folded(key: str) -> str:
    """Keys are compared without case and white space around them."""
    return key.strip().lower()


def keyed(vendor: Vendor, request: WriteRequest, field: str) -> tuple[list[KeyedRow], list[Failure]]:
    """The rows with a key of their own, and failures for those without a key or with another row's."""
    rows: list[KeyedRow] = []
    failures: list[Failure] = []
    seen: set[str] = set()
    for index, line in enumerate(request.rows.lines()):
        fields = _object(line)
        key = fields.pop(field, None)
        if not isinstance(key, str) or not key.strip():
            message = f"the row has no `{field}`, by which rows are matched"
            failures.append(Failure.rejected(index, vendor.own(f"no_{field}"), message))
        elif folded(key) in seen:
            message = f"another row of the batch has the same `{field}`"
            failures.append(Failure.rejected(index, vendor.own("duplicate"), message))
        else:
            seen.add(folded(key))
            rows.append(KeyedRow(index, key, fields, line))
    return rows, failures


def _object(line: bytes) -> dict[str, Any]:
    """Nothing for a line that could not be sent on as JSON: it costs its row, and no other of the request."""
    try:
        value = json.loads(line)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def emails(vendor: Vendor, change: AudienceChange) -> tuple[list[tuple[int, str]], list[Failure]]:
    """The members' places and emails, and failures for those without."""
    found: list[tuple[int, str]] = []
    failures: list[Failure] = []
    for index, member in enumerate(change.members):
        email = plain(member.ids, "email")
        if email is None:
            message = "the member has no plain email, by which members are named"
            failures.append(Failure.rejected(index, vendor.own("no_email"), message))
        else:
            found.append((index, email))
    return found, failures
