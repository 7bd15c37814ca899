// Reading people.

import { Batch, Hub, ReadRequest, Request, Source, cut, done, more, readPages, unknown } from "@onefold/sdk";
import { Config, at, vendor } from "./vendor.js";

/** Where a page begins. */
type Cursor = { after: string | null };

function read(hub: Hub, config: Config, request: ReadRequest): Batch {
  // The streams of `manifest.json`.
  if (request.stream !== "people") {
    throw unknown("stream", request.stream);
  }
  const start = (): Cursor => ({ after: null });
  return readPages(hub, request, start, (cursor, room, found) => {
    // One page, from where the last one ended; `room` is how many records are still wanted.
    const asked = Request.get(at(config, "/people")).query("limit", room).auth("token");
    if (cursor.after !== null) {
      asked.query("after", cursor.after);
    }
    const page = cut(vendor.send(hub, asked).body, ["people"]);
    page.appendTo(found.upserts);
    // Where the next page begins: another place than this one's. Without one, the next run begins here again.
    const after: string | null = page.envelope().next;
    return after === null ? done(cursor) : more({ after });
  });
}

export const source: Source<Config> = { read };
