// Bytes to text and back. Inside a component the engine has no TextDecoder, and its base64 is native code: many times
// faster than a loop over characters. Elsewhere the platform's own codecs are used.

/** What the platform may or may not have. @type {any} */
const here = globalThis;
const hasBase64 = typeof here.Uint8Array.prototype.toBase64 === "function" && typeof here.atob === "function";
const decoder = here.TextDecoder ? new here.TextDecoder("utf-8", { fatal: true, ignoreBOM: true }) : null;

/** One character a byte, so that places in the text are places in the bytes. @param {Uint8Array} bytes @returns {string} */
export function latin1(bytes) {
  if (hasBase64) {
    return here.atob(/** @type {any} */ (bytes).toBase64());
  }
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return text;
}

/** UTF-8 that came as one character a byte. Throws when it is none. @param {string} text */
export function fromLatin1(text) {
  return /[\x80-\xff]/.test(text) ? decodeURIComponent(here.escape(text)) : text;
}

/** UTF-8 as one character a byte. @param {string} text @returns {string} */
export function toLatin1(text) {
  return /^[\x00-\x7f]*$/.test(text) ? text : here.unescape(encodeURIComponent(text));
}

const STRING_OR_WORD = /"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)(?![0-9A-Za-z_])/g;

/**
 * JSON as a value. `NaN` and `Infinity`, which some vendors write where there is no number, are null: one such value must
 * not cost the whole text. Throws when it is no JSON.
 * @param {string} text @returns {any}
 */
export function fromJson(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    const mended = text.replace(STRING_OR_WORD, (token) => (token.startsWith('"') ? token : "null"));
    if (mended === text) {
      throw error;
    }
    return JSON.parse(mended);
  }
}

/**
 * A value as JSON. A number that JSON cannot say is left out: null would take away what was known.
 * @param {unknown} value @returns {string}
 */
export function toJson(value) {
  const text = JSON.stringify(value);
  const isNumber = (/** @type {unknown} */ one) => typeof one === "number" && !Number.isFinite(one);
  return text.includes("null") ? JSON.stringify(value, (_, one) => (isNumber(one) ? undefined : one)) : text;
}

/** Throws when the bytes are no UTF-8. @param {Uint8Array} bytes @returns {string} */
export function decode(bytes) {
  return decoder ? decoder.decode(bytes) : fromLatin1(latin1(bytes));
}

/** Text as UTF-8. @param {string} text @returns {Uint8Array} */
export function encode(text) {
  if (here.TextEncoder) {
    return new here.TextEncoder().encode(text);
  }
  return here.Uint8Array.fromBase64(here.btoa(here.unescape(encodeURIComponent(text))));
}
