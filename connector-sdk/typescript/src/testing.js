// A hub for tests: answers requests by a function or a script, remembers what was asked, keeps a fixed clock. Runs in
// Node without WebAssembly.

import { createHash, createHmac } from "node:crypto";
import { HttpFailure } from "./errors.js";
import { Chunk } from "./records.js";
import { decode, encode } from "./text.js";

/** @import { Batch, Hub, ReadRequest, Response } from "./contract.js" */
/** @import { Request } from "./http.js" */

/** A hub that never leaves the process. @implements {Hub} */
export class TestHub {
  #answer;
  #unused = () => 0;
  /** @type {Map<string, Uint8Array>} */
  #keys = new Map();
  #cancelled = false;
  #nowMs = 1_700_000_000_000;
  /** @type {Request[]} */
  sent = [];
  /** @type {string[]} */
  logged = [];

  /** Answers every request by a function, which may be a small vendor with a state of its own. @param {(request: Request) => Response} answer */
  constructor(answer) {
    this.#answer = answer;
  }

  /** Answers by a script: each request has to begin as the next line says (`GET https://…`), in that order. @param {[string, Response][]} lines */
  static script(lines) {
    const left = [...lines];
    const hub = new TestHub((request) => {
      const asked = `${request.method} ${request.url}`;
      const [start, response] = left.shift() ?? [];
      if (start === undefined || response === undefined) {
        throw new Error(`the script is over, but \`${asked}\` came`);
      }
      if (!asked.startsWith(start)) {
        throw new Error(`expected \`${start}\`, got \`${asked}\``);
      }
      return response;
    });
    hub.#unused = () => left.length;
    return hub;
  }

  /** A key for `mac`. @param {string} credential @param {string} key */
  key(credential, key) {
    this.#keys.set(credential, encode(key));
    return this;
  }

  cancel() {
    this.#cancelled = true;
    return this;
  }

  /** @param {number} nowMs */
  setNowMs(nowMs) {
    this.#nowMs = nowMs;
  }

  /** The JSON bodies of the requests that had one. */
  bodies() {
    return this.sent.flatMap(({ body }) => (body ? [JSON.parse(decode(body))] : []));
  }

  /** Fails the test when a line of the script was never asked for. */
  finish() {
    if (this.#unused() > 0) {
      throw new Error(`${this.#unused()} lines of the script were never asked for`);
    }
  }

  /** @param {Request} request */
  send(request) {
    this.sent.push(request);
    return this.#answer(request);
  }

  /** @param {string} _level @param {string} message */
  log(_level, message) {
    this.logged.push(message);
  }

  cancelled() {
    return this.#cancelled;
  }

  remainingMs() {
    return 60_000;
  }

  nowMs() {
    return this.#nowMs;
  }

  progress() {}

  count() {}

  /** @param {string} credential @param {string} algorithm @param {Uint8Array} data */
  mac(credential, algorithm, data) {
    const key = this.#keys.get(credential);
    if (key === undefined) {
      throw new HttpFailure("other", `no credential \`${credential}\``);
    }
    return createHmac(algorithm.replace("hmac-", ""), key).update(data).digest();
  }

  /** @param {Uint8Array} data */
  sha256(data) {
    return createHash("sha256").update(data).digest();
  }
}

/** An answer with a JSON body; a text is taken as it is. @param {number} status @param {unknown} body @param {Record<string, string>} [headers] @returns {Response} */
export function json(status, body, headers = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const list = Object.entries(headers).map(([name, value]) => ({ name, value: encode(value) }));
  return { status, headers: list, body: encode(text) };
}

/** Rows for a `write`. @param {object[]} rows */
export function chunk(rows) {
  return new Chunk(rows.length, encode(rows.map((row) => `${JSON.stringify(row)}\n`).join("")));
}

/** Calls `read` until it is done and gives the rows as text, the deletes and the last cursor. @param {ReadRequest} request @param {(request: ReadRequest) => Batch} read */
export function readAll(request, read) {
  /** @type {{ upserts: string[], deletes: string[] }} */
  const seen = { upserts: [], deletes: [] };
  let next = request;
  for (let call = 0; call < 10_000; call += 1) {
    const batch = read(next);
    seen.upserts.push(...counted(batch.upserts));
    seen.deletes.push(...(batch.deletes ? counted(batch.deletes) : []));
    if (batch.done) {
      return { ...seen, cursor: batch.cursor };
    }
    next = { ...request, cursor: batch.cursor };
  }
  throw new Error("the stream never ends");
}

/** @param {Chunk} chunk */
function counted(chunk) {
  const lines = chunk.lines();
  if (lines.length !== chunk.count) {
    throw new Error(`${lines.length} rows came, ${chunk.count} were said`);
  }
  return lines;
}

/** A request for the whole of a stream. @param {string} stream @returns {ReadRequest} */
export function whole(stream) {
  return { stream, part: "", cursor: null, since: null, until: null, maxRecords: 1_000, maxBytes: 1 << 24 };
}

/** A request that goes on from a cursor. @param {string} stream @param {Uint8Array} cursor @returns {ReadRequest} */
export function fromCursor(stream, cursor) {
  return { ...whole(stream), cursor };
}
