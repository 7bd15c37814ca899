// Reading contacts and tickets.

import { Batch, ConnectorError, Found, Hub, ReadRequest, Request, Source, cut, done, more, readPages, unknown } from "@onefold/sdk";
import { Config, at, vendor } from "./vendor.js";

/** Where the next page begins: what the vendor called `next`. */
type Cursor = { after: string | null };

const STREAMS = ["contacts", "tickets"];

function read(hub: Hub, config: Config, request: ReadRequest): Batch {
  const { stream } = request;
  if (!STREAMS.includes(stream)) {
    throw unknown("stream", stream);
  }
  const start = (): Cursor => ({ after: null });
  return readPages(hub, request, start, (cursor, room, found) => {
    const page = Request.get(at(config, `/v1/${stream}`)).query("limit", Math.min(room, config.page_size)).auth("token");
    if (cursor.after !== null) {
      page.query("after", cursor.after);
    }
    const next = readPage(hub, page, stream, found);
    return next.more ? more({ after: next.next }) : done({ after: next.next });
  });
}

/** A deleted record comes as a tombstone; of it only the key is passed on. */
function readPage(hub: Hub, request: Request, stream: string, found: Found): { next: string; more: boolean } {
  const page = cut(lostPlace(() => vendor.send(hub, request)).body, [stream]);
  for (const row of page.rows) {
    const id = row.raw("id");
    // A row without an id is the hub's to set aside.
    if (row.get("deleted") === true && id !== undefined) {
      found.deleteText(`{"id":${id}}`);
    } else {
      found.upserts.pushRaw(row);
    }
  }
  return page.envelope();
}

/** 410: the vendor no longer knows where the last run ended. */
function lostPlace<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof ConnectorError && error.status === 410 ? error.as("cursor-expired") : error;
  }
}

export const source: Source<Config> = { read };
