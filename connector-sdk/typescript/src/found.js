// What one call of `read` has gathered, in the vendor's order: records, and the keys of deleted records.

import { Rows, compact, members } from "./records.js";
import { fromLatin1, latin1 } from "./text.js";

/** @import { Batch } from "./contract.js" */

/** A key that lies deeper in objects is compared as it is written. */
const DEEPEST = 8;
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
    /** @type {Map<string, Map<string, number>>} */
    const last = new Map();
    const kept = new Rows();
    this.#deletes.pieces(0).forEach((piece, at) => {
      const key = keyOf(latin1(piece));
      const paths = JSON.stringify(key.paths);
      const upserts = last.get(paths) ?? this.#lastUpserts(key.paths);
      last.set(paths, upserts);
      if ((upserts.get(JSON.stringify(key.values)) ?? -1) < this.#upsertsBefore[at]) {
        kept.pushBytes(piece);
      }
    });
    return kept;
  }

  /** Where each key was upserted last, after the first delete. @param {string[][]} paths */
  #lastUpserts(paths) {
    /** @type {Map<string, number>} */
    const last = new Map();
    const first = this.#upsertsBefore[0];
    this.upserts.pieces(first).forEach((piece, at) => {
      const values = valuesAt(members(latin1(piece)), paths);
      if (values !== undefined && values.length > 0) {
        last.set(JSON.stringify(values), first + at);
      }
    });
    return last;
  }
}

/** The fields of a delete and their values; nothing when it has none or cannot be read. @param {string} line */
function keyOf(line) {
  /** @type {{ paths: string[][], values: string[] }} */
  const key = { paths: [], values: [] };
  addLeaves(members(line), [], key);
  return key;
}

/** @param {Map<string, string>} object @param {string[]} path @param {{ paths: string[][], values: string[] }} key */
function addLeaves(object, path, key) {
  for (const [name, value] of object) {
    const inner = path.length < DEEPEST ? members(value) : new Map();
    if (inner.size > 0) {
      addLeaves(inner, [...path, name], key);
    } else {
      key.paths.push([...path, name]);
      key.values.push(comparable(value));
    }
  }
}

/** A record's values at these paths; undefined when one is missing. @param {Map<string, string>} record @param {string[][]} paths */
function valuesAt(record, paths) {
  const values = [];
  for (const path of paths) {
    const parent = path.slice(0, -1).reduce((here, name) => members(here.get(name) ?? ""), record);
    const value = parent.get(path[path.length - 1]);
    if (value === undefined) {
      return undefined;
    }
    values.push(comparable(value));
  }
  return values;
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
  return `${sign}${kept}e${Number(exponent) - fraction.length + digits.length - kept.length}`;
}
