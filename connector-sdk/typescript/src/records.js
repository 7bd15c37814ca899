// Cutting records out of a vendor's page as they were written, and gathering them as JSON lines. A record is never
// printed anew, because printing changes large integers and the spelling of numbers.

import { ConnectorError } from "./errors.js";
import { decode, encode, fromJson, fromLatin1, latin1, toJson, toLatin1 } from "./text.js";

/** JSON lines: one object a line, `\n` after each. */
export class Chunk {
  /** @param {number} count @param {Uint8Array} data */
  constructor(count, data) {
    this.count = count;
    this.data = data;
  }

  /** Each line as text. @returns {string[]} */
  lines() {
    return decode(this.data).split("\n").filter((line) => line !== "");
  }
}

/** One record as the vendor wrote it. */
export class Row {
  #latin1;
  #found;

  /** @param {Uint8Array} bytes @param {string} latin1 the same, one character a byte @param {any} [found] `latin1` parsed, when it was */
  constructor(bytes, latin1, found) {
    this.bytes = bytes;
    this.#latin1 = latin1;
    this.#found = found;
  }

  /** The whole record; numbers beyond 2^53 are not exact here. @returns {any} */
  value() {
    return parse(fromLatin1(this.#latin1), "a record");
  }

  /**
   * One of its fields, without the cost of `value`; undefined when there is none, or when the record cannot be read: pass
   * it on as it is, and the hub sets it aside.
   * @param {string} name @returns {any}
   */
  get(name) {
    this.#found ??= readable(this.#latin1);
    const value = this.#found?.[toLatin1(name)];
    if (typeof value === "string") {
      return fromLatin1(value);
    }
    return typeof value === "object" && value !== null ? this.value()[name] : value;
  }

  /** A field as it was written, such as `12345678901234567890`; undefined when there is none. @param {string} name @returns {string | undefined} */
  raw(name) {
    const found = new Scan(this.bytes, this.#latin1).field(JSON.stringify(toLatin1(name)));
    return found === undefined ? undefined : fromLatin1(found);
  }
}

/** A page cut into its records and the rest. */
export class Page {
  #envelope;

  /** @param {Row[]} rows @param {string} envelope */
  constructor(rows, envelope) {
    this.rows = rows;
    this.#envelope = envelope;
  }

  /** What surrounds the rows, such as a paging cursor. The array itself reads as empty. @returns {any} */
  envelope() {
    return parse(fromLatin1(this.#envelope), "the answer");
  }

  /** Adds every record. @param {Rows} rows */
  appendTo(rows) {
    for (const row of this.rows) {
      rows.pushRaw(row);
    }
  }
}

/** Records as JSON lines. */
export class Rows {
  /** @type {Uint8Array[]} */
  #pieces = [];
  bytes = 0;

  get count() {
    return this.#pieces.length;
  }

  /** A record as it is, without its line breaks. @param {Row} row */
  pushRaw(row) {
    this.pushBytes(row.bytes);
  }

  /** A record as JSON text on one line. @param {string} json */
  pushText(json) {
    this.pushBytes(encode(json));
  }

  /** A record as JSON on one line. @param {Uint8Array} line */
  pushBytes(line) {
    this.#pieces.push(line);
    this.bytes += line.length + 1;
  }

  /** A record of the connector's own making. @param {object} record */
  push(record) {
    this.pushText(toJson(record));
  }

  intoChunk() {
    const data = new Uint8Array(this.bytes);
    let at = 0;
    for (const piece of this.#pieces) {
      data.set(piece, at);
      at += piece.length;
      data[at++] = 10;
    }
    return new Chunk(this.#pieces.length, data);
  }

  /** A place to go back to. */
  mark() {
    return { count: this.#pieces.length, bytes: this.bytes };
  }

  /** @param {{ count: number, bytes: number }} mark */
  rewind(mark) {
    this.#pieces.length = mark.count;
    this.bytes = mark.bytes;
  }

  /** The records from one on, each without its line end. @param {number} first */
  pieces(first) {
    return this.#pieces.slice(first);
  }
}

/**
 * Cuts the array at a path of object keys; an empty path means that the page is the array itself. Throws an error of
 * class `transient` when the array is missing or the page is cut short or garbage: next time it may be whole.
 * @param {Uint8Array} body
 * @param {string[]} path
 */
export function cut(body, path) {
  const scan = new Scan(body, latin1(body));
  /** @type {Place[]} */
  const places = [];
  let envelope = "";
  try {
    envelope = scan.page(path, places);
    scan.end();
    if (scan.arrays === 1) {
      fromJson(envelope);
    }
  } catch {
    const message = `the answer of ${body.length} bytes is no whole JSON document; it went wrong near byte ${scan.at}`;
    throw ConnectorError.transient("sdk.page", message);
  }
  if (scan.arrays !== 1) {
    throw ConnectorError.transient("sdk.page", `the answer has no array \`${path.join(".")}\``);
  }
  const broken = body.includes(10) || body.includes(13);
  const rows = places.map(({ from, to, value }) => {
    const text = scan.text.slice(from, to);
    return broken && BROKEN.test(text) ? oneLine(text) : new Row(body.subarray(from, to), text, value);
  });
  return new Page(rows, envelope);
}

/** @typedef {{ from: number, to: number, value?: unknown }} Place */

const OPEN = 0x7b;
const CLOSE = 0x7d;
const COMMA = 0x2c;
const END = 0x5d;
const BROKEN = /[\r\n]/;
const BLANK = /[ \t\r\n]*/y;
const STRING = /"(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*"/y;
const WORD = /[-+.0-9A-Za-z]+/y;
/** From wherever it stands to the next bracket, over whole strings. */
const TO_BRACKET = /[^"{}[\]\x00-\x08\x0b\x0c\x0e-\x1f]*(?:"[^"\\\x00-\x1f]*(?:\\[^\x00-\x1f][^"\\\x00-\x1f]*)*"[^"{}[\]\x00-\x08\x0b\x0c\x0e-\x1f]*)*/y;

/** A record that was written over several lines: no white space between its tokens. @param {string} text */
function oneLine(text) {
  const line = compact(text);
  return new Row(Uint8Array.from(line, (character) => character.charCodeAt(0)), line);
}

/** JSON without the white space between its tokens. @param {string} text */
export function compact(text) {
  return text.replace(/"(?:[^"\\]|\\.)*"|[ \t\r\n]+/g, (token) => (token.startsWith('"') ? token : ""));
}

/**
 * The members of an object, up to the wanted one, names without their escapes and values as they are written; nothing
 * when the text is not an object. Of equal names the first one counts.
 * @param {string} text one character a byte
 * @param {string} [wanted]
 */
export function members(text, wanted) {
  /** @type {Map<string, string>} */
  const found = new Map();
  const scan = new Scan(new Uint8Array(), text);
  try {
    scan.members((quoted) => {
      const value = scan.value();
      const name = quoted.includes("\\") ? toLatin1(JSON.parse(fromLatin1(quoted))) : quoted.slice(1, -1);
      found.set(name, found.get(name) ?? value);
      return name === wanted && scan.peek() === ",";
    });
  } catch {
    return new Map();
  }
  return found;
}

/** @param {string} text @returns {any} */
function readable(text) {
  try {
    return fromJson(text);
  } catch {
    return {};
  }
}

/** @param {string} text @param {string} what @returns {any} */
function parse(text, what) {
  try {
    return fromJson(text);
  } catch (error) {
    throw ConnectorError.transient("sdk.page", `${what} has another shape: ${/** @type {Error} */ (error).message}`);
  }
}

/** A reader that moves over JSON, one character a byte; it throws where the document is broken. */
class Scan {
  /** @param {Uint8Array} bytes @param {string} text the same */
  constructor(bytes, text) {
    this.bytes = bytes;
    this.text = text;
    this.at = 0;
    /** How often the wanted array was met; a document that holds it twice is no answer either. */
    this.arrays = 0;
  }

  /** Finds the rows and gives the rest of the document. @param {string[]} path @param {Place[]} places @returns {string} */
  page(path, places) {
    const first = this.peek();
    if (path.length === 0) {
      return first === "[" ? this.rows(places) : this.value();
    }
    if (first !== "{") {
      return this.value();
    }
    const key = JSON.stringify(toLatin1(path[0]));
    let kept = "";
    this.members((name) => {
      const rest = name === key ? this.page(path.slice(1), places) : this.value();
      kept += `${kept && ","}${name}:${rest}`;
      return false;
    });
    return `{${kept}}`;
  }

  /** The value of one field of the object here. @param {string} key @returns {string | undefined} */
  field(key) {
    let found;
    this.peek();
    this.members((name) => {
      const value = this.value();
      if (name === key) {
        found = value;
      }
      return name === key;
    });
    return found;
  }

  end() {
    if (this.peek() !== "") {
      throw new SyntaxError("more than one document");
    }
  }

  /** Calls `member` behind each name and colon of the object here, until it says that this is enough. @param {(name: string) => boolean} member */
  members(member) {
    this.take("{");
    if (this.peek() === "}") {
      this.at += 1;
      return;
    }
    do {
      this.peek();
      const name = this.match(STRING);
      this.take(":");
      if (member(name)) {
        return;
      }
    } while (this.take(",}") === ",");
  }

  /** @param {Place[]} places */
  rows(places) {
    this.arrays += 1;
    this.at += 1;
    if (this.peek() === "]") {
      this.at += 1;
      return "[]";
    }
    let flat = true;
    do {
      const open = this.peek();
      const from = this.at;
      const value = flat && open === "{" ? this.flat() : undefined;
      if (value === undefined) {
        this.skip();
        flat = open !== "{";
      }
      places.push({ from, to: this.at, value });
    } while (this.take(",]") === ",");
    return "[]";
  }

  /**
   * The record up to the next `},{` or `}]`, when that is a whole one: the engine's own parser is faster than any scan.
   * When it is not whole, there are records inside it, and the next ones are scanned at once.
   */
  flat() {
    const { bytes, at } = this;
    let end = at;
    do {
      end = bytes.indexOf(CLOSE, end) + 1;
      if (end === 0) {
        return undefined;
      }
    } while (!(bytes[end] === END || (bytes[end] === COMMA && bytes[end + 1] === OPEN)));
    try {
      const value = JSON.parse(this.text.slice(at, end));
      this.at = end;
      return value;
    } catch {
      return undefined;
    }
  }

  value() {
    this.peek();
    const from = this.at;
    this.skip();
    return this.text.slice(from, this.at);
  }

  skip() {
    const first = this.text[this.at];
    if (first === '"') {
      this.match(STRING);
    } else if (first === "{" || first === "[") {
      this.nested();
    } else {
      this.match(WORD);
    }
  }

  nested() {
    const { text } = this;
    let depth = 0;
    do {
      TO_BRACKET.lastIndex = this.at;
      TO_BRACKET.test(text);
      this.at = TO_BRACKET.lastIndex;
      const bracket = text[this.at];
      if (bracket === "{" || bracket === "[") {
        depth += 1;
      } else if (bracket === "}" || bracket === "]") {
        depth -= 1;
      } else {
        throw new SyntaxError("cut short");
      }
      this.at += 1;
    } while (depth > 0);
  }

  /** The next character that is not blank; empty at the end. */
  peek() {
    const next = this.text.charCodeAt(this.at);
    if (next <= 32) {
      BLANK.lastIndex = this.at;
      BLANK.test(this.text);
      this.at = BLANK.lastIndex;
    }
    return this.text.charAt(this.at);
  }

  /** @param {string} wanted */
  take(wanted) {
    const next = this.peek();
    if (next === "" || !wanted.includes(next)) {
      throw new SyntaxError(`one of ${wanted} was expected`);
    }
    this.at += 1;
    return next;
  }

  /** @param {RegExp} pattern sticky */
  match(pattern) {
    pattern.lastIndex = this.at;
    if (!pattern.test(this.text)) {
      throw new SyntaxError("broken");
    }
    const from = this.at;
    this.at = pattern.lastIndex;
    return this.text.slice(from, this.at);
  }
}
