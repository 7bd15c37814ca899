// What one call of `read` has gathered, in the vendor's order: records, and the keys of deleted records.

import { Rows, compact, members } from "./records.js";
import { encode, fromLatin1, latin1 } from "./text.js";

/** @import { Batch } from "./contract.js" */

/** A key that lies deeper in objects is compared as it is written. */
const DEEPEST = 8;
/** Integers of at most so many digits are compared by all of their digits. */
const DIGITS = 40;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const CLOSE = 0x7d;
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
const SURROGATE = /[\ud800-\udfff]/u;

/**
 * The rows of the pages read so far. Add records to `upserts`, and call `delete` for each deleted record, in the order
 * in which the vendor reports them. Within one batch upserts count before deletes, so `finish` drops the delete of a
 * record that was added after it: deleted, then created again.
 */
export class Found {
  upserts = new Rows();
  #deletes = new Rows();
  /** For each delete, how many upserts came before it. @type {number[]} */
  #upsertsBefore = [];

  get count() {
    return this.upserts.count + this.#deletes.count;
  }

  get bytes() {
    return this.upserts.bytes + this.#deletes.bytes;
  }

  /** A deleted record: an object with its primary key fields only. @param {object} key */
  delete(key) {
    this.#deletes.push(key);
    this.#upsertsBefore.push(this.upserts.count);
  }

  /** The same as JSON text on one line, for a key that has to stay as the vendor wrote it. @param {string} json */
  deleteText(json) {
    this.#deletes.pushText(json);
    this.#upsertsBefore.push(this.upserts.count);
  }

  /** The batch; `readPages` calls it. The next batch begins at the cursor. @param {Uint8Array} cursor @param {boolean} done @returns {Batch} */
  finish(cursor, done) {
    const deletes = this.#isSettled() ? this.#deletes : this.#stillDeleted();
    return { upserts: this.upserts.intoChunk(), deletes: deletes.count > 0 ? deletes.intoChunk() : null, cursor, done };
  }

  /** A place to go back to. */
  mark() {
    return { upserts: this.upserts.mark(), deletes: this.#deletes.mark() };
  }

  /** @param {ReturnType<Found["mark"]>} mark */
  rewind(mark) {
    this.upserts.rewind(mark.upserts);
    this.#deletes.rewind(mark.deletes);
    this.#upsertsBefore.length = this.#deletes.count;
  }

  /** True when no record came after a delete: then no record has to be parsed. */
  #isSettled() {
    return this.#upsertsBefore.length === 0 || this.#upsertsBefore[0] >= this.upserts.count;
  }

  #stillDeleted() {
    const keys = this.#deletes.pieces(0).map((line) => ({ line, ...keyOf(latin1(line)) }));
    /** @type {Map<string, { paths: string[][], last: Map<string, number> }>} */
    const kinds = new Map();
    for (const { kind, paths, key } of keys) {
      const one = kinds.get(kind) ?? { paths, last: new Map() };
      one.last.set(key, -1);
      kinds.set(kind, one);
    }
    for (const { paths, last } of kinds.values()) {
      this.#findUpserts(paths, last);
    }
    const kept = new Rows();
    keys.forEach(({ line, kind, key }, at) => {
      if ((kinds.get(kind)?.last.get(key) ?? -1) < this.#upsertsBefore[at]) {
        kept.pushBytes(line);
      }
    });
    return kept;
  }

  /** Notes where each of these keys was upserted last, after the first delete. @param {string[][]} paths @param {Map<string, number>} last */
  #findUpserts(paths, last) {
    if (paths.length === 0) {
      return;
    }
    const other = isOther(paths, last.keys());
    const first = this.#upsertsBefore[0];
    this.upserts.pieces(first).forEach((line, at) => {
      if (other(line)) {
        return;
      }
      const key = valuesAt(latin1(line), paths);
      if (key !== undefined && last.has(key)) {
        last.set(key, first + at);
      }
    });
  }
}

/**
 * The fields of a delete and their values; no fields when it has none or cannot be read.
 * @param {string} line one character a byte
 */
function keyOf(line) {
  /** @type {string[][]} */
  const paths = [];
  /** @type {string[]} */
  const values = [];
  addLeaves(members(line), [], paths, values);
  return { paths, kind: JSON.stringify(paths), key: JSON.stringify(values) };
}

/** @param {Map<string, string>} object @param {string[]} path @param {string[][]} paths @param {string[]} values */
function addLeaves(object, path, paths, values) {
  for (const [name, value] of object) {
    const inner = path.length < DEEPEST ? members(value) : new Map();
    if (inner.size > 0) {
      addLeaves(inner, [...path, name], paths, values);
    } else {
      paths.push([...path, name]);
      values.push(comparable(value));
    }
  }
}

/**
 * Tells records whose key is certainly none of these, by a hash of its bytes: the engine does that many times faster than
 * anything with texts. It can be told when the key is one field, the first of the record and plain, as most are: a short
 * integer or a string without escapes. In this form a value is its `comparable`, but for a quote at the end.
 * @param {string[][]} paths
 * @param {Iterable<string>} keys
 * @returns {(record: Uint8Array) => boolean}
 */
function isOther(paths, keys) {
  if (paths.length !== 1 || paths[0].length !== 1) {
    return () => false;
  }
  const start = encode(fromLatin1(`{${JSON.stringify(paths[0][0])}:`));
  const hashes = new Set();
  for (const key of keys) {
    const [value] = JSON.parse(key);
    hashes.add([...value].reduce((hash, character) => hashed(hash, character.charCodeAt(0)), 0));
  }
  return (record) => {
    for (let at = 0; at < start.length; at += 1) {
      if (record[at] !== start[at]) {
        return false;
      }
    }
    const isText = record[start.length] === QUOTE;
    let hash = isText ? hashed(0, QUOTE) : 0;
    const from = start.length + (isText ? 1 : 0);
    for (let at = from; at < record.length; at += 1) {
      const byte = record[at];
      if (isText ? byte === QUOTE : byte === COMMA || byte === CLOSE) {
        return !hashes.has(hash) && (isText || at - from <= DIGITS);
      }
      if (isText ? byte === BACKSLASH || byte > 127 : byte < 48 || byte > 57) {
        return false;
      }
      hash = hashed(hash, byte);
    }
    return false;
  };
}

/** @param {number} hash @param {number} byte */
function hashed(hash, byte) {
  return (Math.imul(hash, 31) + byte) | 0;
}

/**
 * A record's values at these paths as one text; undefined when one is missing.
 * @param {string} record one character a byte
 * @param {string[][]} paths
 */
function valuesAt(record, paths) {
  const values = [];
  for (const path of paths) {
    /** @type {string | undefined} */
    let here = record;
    for (const name of path) {
      here = here === undefined ? undefined : members(here, name).get(name);
    }
    if (here === undefined) {
      return undefined;
    }
    values.push(comparable(here));
  }
  return JSON.stringify(values);
}

/** A value so that equal JSON values are equal texts. Arrays are compared as they are written. @param {string} value one character a byte */
function comparable(value) {
  if (value.startsWith('"')) {
    return decoded(value);
  }
  const number = NUMBER.exec(value);
  return number ? decimal(value, number) : compact(value);
}

/** A string without its escapes. Half a surrogate pair is not a character; in some languages it cannot be decoded. @param {string} quoted */
function decoded(quoted) {
  try {
    const text = JSON.parse(fromLatin1(quoted));
    return SURROGATE.test(text) ? quoted : `"${text}`;
  } catch {
    return quoted;
  }
}

/** A number by its digits, since 7, 7.0 and 70e-1 are equal, and large integers differ in their last digit. @param {string} text @param {string[]} parts */
function decimal(text, [, sign, whole, fraction = "", exponent = "0"]) {
  const digits = (whole + fraction).replace(/^0+/, "");
  if (digits === "") {
    return "0";
  }
  if (exponent.length > 9) {
    return text;
  }
  const kept = digits.replace(/0+$/, "");
  const power = Number(exponent) - fraction.length + digits.length - kept.length;
  const isShort = power >= 0 && kept.length + power <= DIGITS;
  return sign + kept + (isShort ? "0".repeat(power) : `e${power}`);
}
