// Reading people.

import { Request, cut, done, more, readPages, unknown } from "@onefold/sdk";
import { at, vendor } from "./vendor.js";

/** @import { Batch, Hub, ReadRequest, Source } from "@onefold/sdk" */
/** @import { Config } from "./vendor.js" */

/** Where a page begins. @typedef {{ after: string | null }} Cursor */

/** @param {Hub} hub @param {Config} config @param {ReadRequest} request @returns {Batch} */
function read(hub, config, request) {
  // The streams of `manifest.json`.
  if (request.stream !== "people") {
    throw unknown("stream", request.stream);
  }
  const start = () => /** @type {Cursor} */ ({ after: null });
  return readPages(hub, request, start, (cursor, room, found) => {
    // One page, from where the last one ended; `room` is how many records are still wanted.
    const asked = Request.get(at(config, "/people")).query("limit", room).auth("token");
    if (cursor.after !== null) {
      asked.query("after", cursor.after);
    }
    const page = cut(vendor.send(hub, asked).body, ["people"]);
    page.appendTo(found.upserts);
    // Where the next page begins: another place than this one's. Without one, the next run begins here again.
    const after = page.envelope().next;
    return after === null ? done(cursor) : more({ after });
  });
}

/** @type {Source<Config>} */
export const source = { read };
