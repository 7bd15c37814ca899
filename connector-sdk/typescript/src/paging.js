// Reading page after page: the loop with its bounds, and where the next page is under the five common schemes.
// The cursor is the connector's own value, kept as JSON.

import { ConnectorError } from "./errors.js";
import { Found } from "./found.js";
import { header } from "./http.js";
import { decode, encode } from "./text.js";

/** @import { Batch, Hub, ReadRequest, Response } from "./contract.js" */

/** Below this the loop starts no further page. */
const SPARE_MS = 5000;

/**
 * What one page left behind: where to go on.
 * @template C
 * @typedef {{ done: boolean, cursor: C }} Step
 */

/** There is more to read. @template C @param {C} cursor @returns {Step<C>} */
export function more(cursor) {
  return { done: false, cursor };
}

/** Nothing more for now; the next run starts here. @template C @param {C} cursor @returns {Step<C>} */
export function done(cursor) {
  return { done: true, cursor };
}

/**
 * Reads pages until the request's bounds are reached or a step is `done`. `page` fetches one page of at most the given
 * number of records, adds its rows and says where to go on. At least one page is read. A failure after the first page
 * returns what is there: the next call meets the failure again, and nothing is read twice.
 * @template C
 * @param {Hub} hub
 * @param {ReadRequest} request
 * @param {() => C} start
 * @param {(cursor: C, room: number, found: Found) => Step<C>} page
 * @returns {Batch}
 */
export function readPages(hub, request, start, page) {
  let cursor = request.cursor ? readCursor(request.cursor) : start();
  const found = new Found();
  for (;;) {
    if (hub.cancelled()) {
      throw ConnectorError.cancelled();
    }
    const before = { mark: found.mark(), count: found.count, bytes: found.bytes };
    const saved = encode(JSON.stringify(cursor));
    try {
      const step = page(cursor, Math.max(request.maxRecords - found.count, 1), found);
      cursor = step.cursor;
      if (step.done) {
        return found.finish(encode(JSON.stringify(cursor)), true);
      }
    } catch (error) {
      const expected = error instanceof ConnectorError && error.tag !== "cancelled";
      if (before.count === 0 || !expected) {
        throw error;
      }
      found.rewind(before.mark);
      return found.finish(saved, false);
    }
    const lastPage = found.bytes - before.bytes;
    const full = found.count >= request.maxRecords || found.bytes + lastPage + lastPage / 4 > request.maxBytes;
    if (full || hub.remainingMs() < SPARE_MS) {
      return found.finish(encode(JSON.stringify(cursor)), false);
    }
  }
}

/** @param {Uint8Array} bytes @returns {any} */
function readCursor(bytes) {
  try {
    return JSON.parse(decode(bytes));
  } catch (error) {
    const reason = /** @type {Error} */ (error).message;
    throw ConnectorError.cursorExpired("sdk.cursor", `the cursor was written by another version of the connector: ${reason}`);
  }
}

/** The next cursor of a vendor that gives one; an empty text is none. @param {string | null | undefined} given */
export function nextCursor(given) {
  return given || null;
}

/** The next page of a vendor that counts pages and says nothing: a full page may have a successor. @param {number} page @param {number} rows @param {number} limit */
export function nextPage(page, rows, limit) {
  return rows > 0 && rows >= limit ? page + 1 : null;
}

/** The next offset: up to a total when the vendor gives one, else while pages are full. @param {number} offset @param {number} rows @param {number} limit @param {number} [total] */
export function nextOffset(offset, rows, limit, total) {
  const next = offset + rows;
  const more = total === undefined ? rows >= limit : next < total;
  return rows > 0 && more ? next : null;
}

/** The last row's id, for vendors that say `has_more` and page by it. @param {boolean} hasMore @param {string | null} lastId */
export function nextAfter(hasMore, lastId) {
  return hasMore ? lastId : null;
}

/** The `next` address of the `Link` headers (RFC 8288). @param {Response} response */
export function nextLink(response) {
  const all = response.headers.filter((one) => one.name.toLowerCase() === "link");
  const links = all.map((one) => header({ headers: [one] }, "link") ?? "").join(",");
  for (const [, url, parameters] of links.matchAll(/<([^>]*)>([^<]*)/g)) {
    const isNext = parameters.split(";").some((parameter) => {
      const [name, value = ""] = parameter.split(/=(.*)/s);
      const relations = value.replace(/[\s,]+$/, "").trim().replace(/^"|"$/g, "").toLowerCase().split(" ");
      return name.trim().toLowerCase() === "rel" && relations.includes("next");
    });
    if (isNext) {
      return url;
    }
  }
  return null;
}
