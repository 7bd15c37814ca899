// Reading contacts and tickets.

import { ConnectorError, Request, cut, done, more, readPages, unknown } from "@onefold/sdk";
import { at, vendor } from "./vendor.js";

/** @import { Batch, Found, Hub, ReadRequest, Source } from "@onefold/sdk" */
/** @import { Config } from "./vendor.js" */

/** Where the next page begins: what the vendor called `next`. @typedef {{ after: string | null }} Cursor */

const STREAMS = ["contacts", "tickets"];

/** @param {Hub} hub @param {Config} config @param {ReadRequest} request @returns {Batch} */
function read(hub, config, request) {
  const { stream } = request;
  if (!STREAMS.includes(stream)) {
    throw unknown("stream", stream);
  }
  const start = () => /** @type {Cursor} */ ({ after: null });
  return readPages(hub, request, start, (cursor, room, found) => {
    const page = Request.get(at(config, `/v1/${stream}`)).query("limit", Math.min(room, config.page_size)).auth("token");
    if (cursor.after !== null) {
      page.query("after", cursor.after);
    }
    const next = readPage(hub, page, stream, found);
    return next.more ? more({ after: next.next }) : done({ after: next.next });
  });
}

/**
 * A deleted record comes as a tombstone; of it only the key is passed on.
 * @param {Hub} hub @param {Request} request @param {string} stream @param {Found} found
 * @returns {{ next: string, more: boolean }}
 */
function readPage(hub, request, stream, found) {
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

/** 410: the vendor no longer knows where the last run ended. @template T @param {() => T} work @returns {T} */
function lostPlace(work) {
  try {
    return work();
  } catch (error) {
    throw error instanceof ConnectorError && error.status === 410 ? error.as("cursor-expired") : error;
  }
}

/** @type {Source<Config>} */
export const source = { read };
