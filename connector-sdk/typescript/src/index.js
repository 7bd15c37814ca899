// Write Onefold connectors in TypeScript or JavaScript. A connector is an object with the parts of `Connector`, and
// `component` of `@onefold/sdk/component` turns it into the exports of a WebAssembly component; the same object runs in
// Node over the hub of `@onefold/sdk/testing`. The SDK owns configuration, error classes, paging and the cutting of
// records out of pages. It knows no vendor.

/** @typedef {import("./contract.js").Hub} Hub */
/** @typedef {import("./contract.js").Batch} Batch */
/** @typedef {import("./contract.js").CheckReport} CheckReport */
/** @typedef {import("./contract.js").ReadRequest} ReadRequest */
/** @typedef {import("./contract.js").StreamInfo} StreamInfo */
/** @typedef {import("./contract.js").TargetInfo} TargetInfo */
/** @typedef {import("./contract.js").WriteRequest} WriteRequest */
/** @typedef {import("./contract.js").Outcome} Outcome */
/** @typedef {import("./contract.js").Failure} Failure */
/** @typedef {import("./contract.js").Identifier} Identifier */
/** @typedef {import("./contract.js").Member} Member */
/** @typedef {import("./contract.js").AudienceRef} AudienceRef */
/** @typedef {import("./contract.js").AudienceChange} AudienceChange */
/** @typedef {import("./contract.js").Erasure} Erasure */
/** @typedef {import("./contract.js").Response} Response */
/** @template C @typedef {import("./contract.js").Connector<C>} Connector */
/** @template C @typedef {import("./contract.js").Source<C>} Source */
/** @template C @typedef {import("./contract.js").Destination<C>} Destination */
/** @template C @typedef {import("./contract.js").Privacy<C>} Privacy */
/** @template C @typedef {import("./contract.js").Audience<C>} Audience */

export { calls } from "./call.js";
export * as config from "./config.js";
export { ConnectorError, HttpFailure, unknown } from "./errors.js";
export { Found } from "./found.js";
export { Request, Vendor, base, encode, header } from "./http.js";
export { done, more, nextAfter, nextCursor, nextLink, nextOffset, nextPage, readPages } from "./paging.js";
export { Chunk, Page, Row, Rows, cut } from "./records.js";
export { emails, folded, keyed, outcomeOf, plain, rejected } from "./rows.js";
