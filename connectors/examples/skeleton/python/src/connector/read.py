"""Reading people."""

from __future__ import annotations

from onefold_sdk import Batch, Done, Found, Hub, More, ReadRequest, Request, Source, cut, read_pages, unknown

from .vendor import VENDOR, Config


class Reading(Source[Config]):
    def read(self, hub: Hub, config: Config, request: ReadRequest) -> Batch:
        # The streams of `manifest.json`.
        if request.stream != "people":
            raise unknown("stream", request.stream)

        def page(cursor: dict[str, str | None], room: int, found: Found) -> More | Done:
            # One page, from where the last one ended; `room` is how many records are still wanted.
            asked = Request.get(config.at("/people")).query("limit", room).auth("token")
            if cursor["after"] is not None:
                asked.query("after", cursor["after"])
            page = cut(VENDOR.send(hub, asked).body, ["people"])
            page.append_to(found.upserts)
            # Where the next page begins: another place than this one's. Without one, the next run begins here again.
            after = page.envelope()["next"]
            return Done(cursor) if after is None else More({"after": after})

        return read_pages(hub, request, lambda: {"after": None}, page)
