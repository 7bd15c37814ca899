"""Reading page after page: the loop with its bounds, and where the next page is under the five common schemes. The
cursor is the connector's own value, kept as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Callable

from .found import Found
from .hub import Hub, Response
from .records import to_json
from .types import Batch, Cancelled, CursorExpired, Error, ReadRequest

_SPARE_MS = 5_000
"""Below this the loop starts no further page."""


@dataclass(frozen=True)
class More:
    """There is more to read, from the cursor on."""

    cursor: Any


@dataclass(frozen=True)
class Done:
    """Nothing more for now; the next run starts at the cursor."""

    cursor: Any


def read_pages(
    hub: Hub,
    request: ReadRequest,
    start: Callable[[], Any],
    page: Callable[[Any, int, Found], More | Done],
) -> Batch:
    """Reads pages until the request's bounds are reached or a step is `Done`. `page` fetches one page of at most the
    given number of records, adds its rows and says where to go on. At least one page is read. A failure after the first
    page returns what is there: the next call meets the failure again, and nothing is read twice."""
    cursor = start() if request.cursor is None else _read_cursor(request.cursor)
    found = Found()
    while True:
        if hub.cancelled():
            raise Cancelled()
        mark, count, size = found.mark(), found.count, found.bytes
        saved = _encode(cursor)
        try:
            step = page(cursor, max(request.max_records - found.count, 1), found)
        except Cancelled:
            raise
        except Error:
            if count == 0:
                raise
            found.rewind(mark)
            return found.finish(saved, False)
        cursor = step.cursor
        if isinstance(step, Done):
            return found.finish(_encode(cursor), True)
        last_page = found.bytes - size
        full = found.count >= request.max_records or found.bytes + last_page + last_page // 4 > request.max_bytes
        if full or hub.remaining_ms() < _SPARE_MS:
            return found.finish(_encode(cursor), False)


def _encode(cursor: Any) -> bytes:
    return to_json(cursor)


def _read_cursor(cursor: bytes) -> Any:
    try:
        return json.loads(cursor)
    except ValueError as error:
        message = f"the cursor was written by another version of the connector: {error}"
        raise CursorExpired("sdk.cursor", message) from error


def next_cursor(given: str | None) -> str | None:
    """The next cursor of a vendor that gives one; an empty text is none."""
    return given or None


def next_page(page: int, rows: int, limit: int) -> int | None:
    """The next page of a vendor that counts pages and says nothing: a full page may have a successor."""
    return page + 1 if rows > 0 and rows >= limit else None


def next_offset(offset: int, rows: int, limit: int, total: int | None = None) -> int | None:
    """The next offset: up to a total when the vendor gives one, else while pages are full."""
    following = offset + rows
    more = rows >= limit if total is None else following < total
    return following if rows > 0 and more else None


def next_after(has_more: bool, last_id: str | None) -> str | None:
    """The last row's id, for vendors that say `has_more` and page by it."""
    return last_id if has_more else None


def next_link(response: Response) -> str | None:
    """The `next` address of the `Link` headers (RFC 8288)."""
    links = ",".join(value.decode(errors="replace") for name, value in response.headers if name.lower() == "link")
    for url, parameters in re.findall(r"<([^>]*)>([^<]*)", links):
        for parameter in parameters.split(";"):
            name, _, value = parameter.partition("=")
            relations = value.strip().rstrip(",").strip().strip('"').lower().split(" ")
            if name.strip().lower() == "rel" and "next" in relations:
                return str(url)
    return None
