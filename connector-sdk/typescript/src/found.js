// What one call of `read` has gathered, in the vendor's order: records, and the keys of deleted records.

import { Rows, compact, members } from "./records.js";
import { fromLatin1, latin1 } from "./text.js";

/** @import { Batch } from "./contract.js" */

/** A key that lies deeper in objects is compared as it is written. */
const DEEPEST = 8;
/** Integers of at most so many digits are compared by all of their digits. */
const DIGITS = 40;
/** So much of a record is looked at before the whole of it is. */
const START_BYTES = 128;
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
    const quick = atTheStart(paths);
    const first = this.#upsertsBefore[0];
    this.upserts.pieces(first).forEach((line, at) => {
      const found = quick?.exec(latin1(line.subarray(0, START_BYTES)));
      const key = found ? JSON.stringify([found[1]]) : valuesAt(latin1(line), paths);
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
 * Finds a key that is one field, when it is the first of a record and is plain, since most are: a short integer or a
 * string without escapes. In this form a value equals its `comparable`, but for a quote at the end.
 * @param {string[][]} paths
 */
function atTheStart(paths) {
  if (paths.length !== 1 || paths[0].length !== 1) {
    return undefined;
  }
  const name = JSON.stringify(paths[0][0]).replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  return new RegExp(`^\\{${name}:((?:0|-?[1-9]\\d{0,39})(?=[,}])|"[^"\\\\\\x00-\\x1f\\x80-\\xff]*(?="[,}]))`);
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
