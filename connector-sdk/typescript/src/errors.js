// How a call fails, sorted by what the hub does next, and why no answer came.

/** @import { Detail, HttpErrorTag } from "./contract.js" */

/**
 * A failure of a call. `tag` is its class in the contract:
 * `config` (the operator must change the configuration), `auth` (the credential was refused), `permission` (it lacks a
 * right), `rate-limited` (wait, then call again), `transient` (the same call may work later), `permanent` (it never
 * will), `cursor-expired` (read the stream from its start), `cancelled`, `other`.
 */
export class ConnectorError extends Error {
  /**
   * @param {string} tag
   * @param {string} code stable, in the connector's own words
   * @param {string} message
   * @param {{ httpStatus?: number | null, data?: string | null, retryAfterMs?: number | null, bucket?: string | null }} [facts]
   */
  constructor(tag, code, message, facts = {}) {
    super(`${code}: ${message}`);
    this.name = "ConnectorError";
    this.tag = tag;
    /** @type {Detail} */
    this.detail = { code, message, httpStatus: facts.httpStatus ?? null, data: facts.data ?? null };
    this.retryAfterMs = facts.retryAfterMs ?? null;
    this.bucket = facts.bucket ?? null;
  }

  /** @param {string} code @param {string} message */
  static config(code, message) {
    return new ConnectorError("config", code, message);
  }

  /** @param {string} code @param {string} message */
  static transient(code, message) {
    return new ConnectorError("transient", code, message);
  }

  /** @param {string} code @param {string} message */
  static permanent(code, message) {
    return new ConnectorError("permanent", code, message);
  }

  /** @param {string} code @param {string} message */
  static cursorExpired(code, message) {
    return new ConnectorError("cursor-expired", code, message);
  }

  static cancelled() {
    return new ConnectorError("cancelled", "cancelled", "the hub asked to stop");
  }

  /** The vendor's status, when the vendor answered. */
  get status() {
    return this.detail.httpStatus;
  }

  /** The same failure in another class. @param {string} tag */
  as(tag) {
    const { code, message, httpStatus, data } = this.detail;
    return new ConnectorError(tag, code, message, { httpStatus, data });
  }
}

/** No answer came. */
export class HttpFailure extends Error {
  /** @param {HttpErrorTag} tag @param {string | number} [said] a text, or the limit that the answer went over */
  constructor(tag, said = "") {
    super(sentence(tag, said));
    this.name = "HttpFailure";
    this.tag = tag;
  }
}

/** @param {HttpErrorTag} tag @param {string | number} said */
function sentence(tag, said) {
  switch (tag) {
    case "dns":
      return `the host's name was not found: ${said}`;
    case "connect":
      return `no connection: ${said}`;
    case "tls":
      return `no secure connection: ${said}`;
    case "timeout":
      return "no answer in time";
    case "response-too-large":
      return `the answer is larger than ${said} bytes`;
    case "cancelled":
      return "cancelled";
    default:
      return String(said);
  }
}

/** In the manifest's or the hub's words. @param {string} kind @param {string} name */
export function unknown(kind, name) {
  return ConnectorError.config(`connector.unknown_${kind}`, `this connector has no ${kind} \`${name}\``);
}
