// Requests and what their answers mean: building a request, classing a status, reading a vendor's error body.
// Retrying is the hub's.

import { ConnectorError, HttpFailure } from "./errors.js";
import { decode, encode as toBytes, fromJson } from "./text.js";

/** @import { Header, Hub, Response } from "./contract.js" */

/** A vendor's text may be a whole page. */
const LONGEST_MESSAGE = 500;

/** A request; each method changes it and gives it back. */
export class Request {
  /** @type {Header[]} */
  headers = [];
  /** @type {Uint8Array | null} */
  body = null;
  /** @type {string | null} */
  credential = null;
  /** @type {string | null} */
  bucketName = null;
  /** @type {number | null} */
  timeoutMs = null;
  idempotent = false;

  /** @param {string} method @param {string} url */
  constructor(method, url) {
    this.method = method;
    this.url = url;
  }

  /** Repeatable, as a GET is. @param {string} url */
  static get(url) {
    return new Request("GET", url).repeatable();
  }

  /** @param {string} url */
  static post(url) {
    return new Request("POST", url);
  }

  /** @param {string} url */
  static put(url) {
    return new Request("PUT", url);
  }

  /** @param {string} url */
  static delete(url) {
    return new Request("DELETE", url);
  }

  /** The hub may send it again after a network error, a 429 or a 5xx. */
  repeatable() {
    this.idempotent = true;
    return this;
  }

  /** The credential that the hub adds, by name. @param {string} credential */
  auth(credential) {
    this.credential = credential;
    return this;
  }

  /** The rate bucket to wait for. @param {string} name */
  bucket(name) {
    this.bucketName = name;
    return this;
  }

  /** @param {string} name @param {string} value */
  header(name, value) {
    this.headers.push({ name, value: toBytes(value) });
    return this;
  }

  /** Adds a query parameter, encoded. @param {string} name @param {string | number} value */
  query(name, value) {
    this.url += `${this.url.includes("?") ? "&" : "?"}${encode(name)}=${encode(String(value))}`;
    return this;
  }

  /** @param {unknown} body */
  json(body) {
    return this.jsonText(JSON.stringify(body));
  }

  /** A body that is JSON text already, for rows that must stay as they are. @param {string} text */
  jsonText(text) {
    this.body = toBytes(text);
    return this.header("Content-Type", "application/json");
  }
}

/** How a vendor writes its errors: where the code and the message stand, as JSON pointers, best first. */
export class Vendor {
  /** @param {{ name: string, code: string[], message: string[] }} words `name` is put before each code: `hubspot.VALIDATION_ERROR` */
  constructor({ name, code, message }) {
    this.name = name;
    this.code = code;
    this.message = message;
  }

  /** Sends, and turns everything but a 2xx into an error. @param {Hub} hub @param {Request} request @returns {Response} */
  send(hub, request) {
    let response;
    try {
      response = hub.send(request);
    } catch (error) {
      throw error instanceof HttpFailure ? this.unanswered(error) : error;
    }
    if (response.status >= 200 && response.status < 300) {
      return response;
    }
    throw this.refused(response, request.bucketName);
  }

  /** Sends, and reads the answer as JSON. @param {Hub} hub @param {Request} request @returns {any} */
  fetch(hub, request) {
    const response = this.send(hub, request);
    try {
      return fromJson(decode(response.body));
    } catch (error) {
      const reason = /** @type {Error} */ (error).message;
      throw this.transient("malformed_answer", `the answer is not the JSON that was expected: ${reason}`);
    }
  }

  /** The class of a status that is no success. @param {Response} response @param {string | null} [bucket] */
  refused(response, bucket = null) {
    const { status } = response;
    const body = parsed(response.body);
    const code = text(body, this.code) ?? String(status);
    const message = text(body, this.message) ?? "no reason was given";
    return new ConnectorError(classOf(status), this.own(code), `${this.name} answered ${status}: ${capped(message)}`, {
      httpStatus: status,
      retryAfterMs: status === 429 ? retryAfterMs(response) : null,
      bucket: status === 429 ? bucket : null,
    });
  }

  /** A failure in the connector's own words. @param {string} code @param {string} message */
  transient(code, message) {
    return ConnectorError.transient(this.own(code), message);
  }

  /** A code with the vendor's name before it. @param {string} code */
  own(code) {
    return `${this.name}.${capped(code)}`;
  }

  /** @param {HttpFailure} failure */
  unanswered(failure) {
    switch (failure.tag) {
      case "cancelled":
        return ConnectorError.cancelled();
      case "denied":
        return ConnectorError.config("http.denied", failure.message);
      case "response-too-large":
        return ConnectorError.permanent("http.too_large", failure.message);
      default:
        return ConnectorError.transient("http.no_answer", `${this.name} did not answer: ${failure.message}`);
    }
  }
}

/** @param {number} status */
function classOf(status) {
  if (status === 401) return "auth";
  if (status === 403) return "permission";
  if (status === 429) return "rate-limited";
  if (status === 408 || status === 425 || status >= 500) return "transient";
  return status >= 400 ? "permanent" : "other";
}

/** @param {Uint8Array} body @returns {unknown} */
function parsed(body) {
  try {
    return fromJson(decode(body));
  } catch {
    return null;
  }
}

/** The first pointer that leads to something, as text. @param {any} body @param {string[]} pointers */
function text(body, pointers) {
  for (const pointer of pointers) {
    const found = pointer.split("/").slice(1).reduce((value, key) => value?.[key], body);
    if (found !== undefined) {
      return typeof found === "string" ? found : JSON.stringify(found);
    }
  }
  return undefined;
}

/** In seconds; whoever asks for more means something else. */
const LONGEST_WAIT = 1e9;

/** `Retry-After` in seconds; the form with a date is the hub's to read, which has seen it too. @param {Response} response */
function retryAfterMs(response) {
  const text = header(response, "retry-after")?.trim() ?? "";
  const seconds = /^[0-9]+(\.[0-9]*)?$/.test(text) ? Number(text) : Infinity;
  return seconds <= LONGEST_WAIT ? Math.floor(seconds * 1000) : null;
}

/** A header by its name in any case, when it is text. @param {{ headers: Header[] }} response @param {string} name @returns {string | undefined} */
export function header(response, name) {
  const found = response.headers.find((one) => one.name.toLowerCase() === name.toLowerCase());
  try {
    return found && decode(found.value);
  } catch {
    return undefined;
  }
}

/** @param {string} text */
function capped(text) {
  const characters = [...text];
  return characters.length > LONGEST_MESSAGE ? `${characters.slice(0, LONGEST_MESSAGE).join("")}…` : text;
}

/** Percent-encoding for one part of a path or a query: everything but letters, digits and `-._~`. @param {string} text */
export function encode(text) {
  return encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** A base address without the slash at its end. @param {string} url */
export function base(url) {
  return url.replace(/\/+$/, "");
}
