// What a destination is handed: rows by their match key, and members by their email. Those that cannot be sent become
// failures at once. How a vendor spells a row is the connector's.

/** @import { AudienceChange, Failure, IdKind, Identifier, Outcome, WriteRequest } from "./contract.js" */
/** @import { Vendor } from "./http.js" */

/**
 * A row of a `write`.
 * @typedef {object} KeyedRow
 * @property {number} index its place in the request
 * @property {string} key as it was given; `folded` compares
 * @property {Record<string, any>} fields without the key; numbers beyond 2^53 are not exact here
 * @property {string} line the row as it was given, with its key
 */

/** A row that will not do better on another try. @param {number} index @param {string} code @param {string} message @returns {Failure} */
export function rejected(index, code, message) {
  return { index, retryable: false, code, message };
}

/** One failure a row, in the rows' order. @param {Failure[]} failures @returns {Outcome} */
export function outcomeOf(failures) {
  const first = new Map();
  for (const failure of failures) {
    if (!first.has(failure.index)) {
      first.set(failure.index, failure);
    }
  }
  return { failures: [...first.values()].sort((one, other) => one.index - other.index), job: null };
}

/** Keys are compared without case and white space around them. @param {string} key */
export function folded(key) {
  return key.trim().toLowerCase();
}

/**
 * The rows with a key of their own, and failures for those without a key or with another row's.
 * @param {Vendor} vendor @param {WriteRequest} request @param {string} field @returns {[KeyedRow[], Failure[]]}
 */
export function keyed(vendor, request, field) {
  /** @type {KeyedRow[]} */
  const rows = [];
  /** @type {Failure[]} */
  const failures = [];
  const seen = new Set();
  request.rows.lines().forEach((line, index) => {
    const { [field]: key, ...fields } = object(line);
    if (typeof key !== "string" || key.trim() === "") {
      failures.push(rejected(index, vendor.own(`no_${field}`), `the row has no \`${field}\`, by which rows are matched`));
    } else if (seen.has(folded(key))) {
      failures.push(rejected(index, vendor.own("duplicate"), `another row of the batch has the same \`${field}\``));
    } else {
      seen.add(folded(key));
      rows.push({ index, key, fields, line });
    }
  });
  return [rows, failures];
}

/** Nothing for a line that could not be sent on as JSON: it costs its row, and no other of the request. @param {string} line @returns {Record<string, any>} */
function object(line) {
  try {
    return JSON.parse(line, sendable) ?? {};
  } catch {
    return {};
  }
}

/** @param {string} _ @param {unknown} value */
function sendable(_, value) {
  if ((typeof value === "number" && !Number.isFinite(value)) || (typeof value === "string" && /\p{Surrogate}/u.test(value))) {
    throw new SyntaxError("not to be sent");
  }
  return value;
}

/** The first plain identifier of a kind. @param {Identifier[]} ids @param {IdKind} kind */
export function plain(ids, kind) {
  return ids.find((id) => id.kind === kind && id.form === "plain")?.value;
}

/**
 * The members' places and emails, and failures for those without.
 * @param {Vendor} vendor @param {AudienceChange} change @returns {[{ index: number, email: string }[], Failure[]]}
 */
export function emails(vendor, change) {
  /** @type {{ index: number, email: string }[]} */
  const found = [];
  /** @type {Failure[]} */
  const failures = [];
  change.members.forEach((member, index) => {
    const email = plain(member.ids, "email");
    if (email === undefined) {
      const message = "the member has no plain email, by which members are named";
      failures.push(rejected(index, vendor.own("no_email"), message));
    } else {
      found.push({ index, email });
    }
  });
  return [found, failures];
}
