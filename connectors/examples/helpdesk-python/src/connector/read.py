"""Reading contacts and tickets."""

from __future__ import annotations

from typing import Any

from onefold_sdk import (
    Batch,
    CursorExpired,
    Done,
    Error,
    Found,
    Hub,
    More,
    ReadRequest,
    Request,
    Source,
    cut,
    read_pages,
    unknown,
)

from .vendor import VENDOR, Config

STREAMS = ("contacts", "tickets")


class Reading(Source[Config]):
    def read(self, hub: Hub, config: Config, request: ReadRequest) -> Batch:
        stream = request.stream
        if stream not in STREAMS:
            raise unknown("stream", stream)

        def page(cursor: dict[str, str | None], room: int, found: Found) -> More | Done:
            limit = min(room, config.page_size)
            asked = Request.get(config.at(f"/v1/{stream}")).query("limit", limit).auth("token")
            if cursor["after"] is not None:
                asked.query("after", cursor["after"])
            envelope = read_page(hub, asked, stream, found)
            following = {"after": envelope["next"]}
            return More(following) if envelope["more"] else Done(following)

        return read_pages(hub, request, lambda: {"after": None}, page)


def read_page(hub: Hub, request: Request, stream: str, found: Found) -> Any:
    """A deleted record comes as a tombstone; of it only the key is passed on."""
    try:
        answer = VENDOR.send(hub, request)
    except Error as error:
        # The vendor no longer knows where the last run ended.
        raise CursorExpired.of(error.detail) if error.status == 410 else error
    page = cut(answer.body, [stream])
    for row in page.rows:
        # A row without an id is the hub's to set aside.
        if row.get("deleted") is True and row.raw("id") is not None:
            found.delete_bytes(b'{"id":%s}' % str(row.raw("id")).encode())
        else:
            found.upserts.push_raw(row)
    return page.envelope()
