// Tagging contacts, erasing them.

import { ConnectorError, Request, emails, encode, outcomeOf, plain, rejected } from "@onefold/sdk";
import { at, vendor } from "./vendor.js";

/** @import { Audience, AudienceChange, Hub, Outcome, Privacy } from "@onefold/sdk" */
/** @import { Config } from "./vendor.js" */

/** Most members that the vendor takes at once. */
const MEMBERS = 100;

/**
 * One answer a row, in the rows' order.
 * @param {any} body @param {number} rows @returns {{ status: string, code: string, message?: string }[]}
 */
export function answers(body, rows) {
  if (body.results?.length !== rows) {
    throw vendor.transient("malformed_answer", `${rows} rows were sent, and the answer is about ${body.results?.length ?? "none"}`);
  }
  return body.results;
}

/** Audiences are the vendor's tags. @type {Audience<Config>} */
export const audience = {
  listAudiences(hub, config, page) {
    const request = Request.get(at(config, "/v1/tags")).auth("token");
    if (page !== null) {
      request.query("after", page);
    }
    const { tags, next } = vendor.fetch(hub, request);
    return [tags, next];
  },

  /** The vendor gives the tag of that name when there is one. */
  create(hub, config, name) {
    const request = Request.post(at(config, "/v1/tags")).json({ name }).auth("token").repeatable();
    const { id, name: given, size = null } = vendor.fetch(hub, request);
    return { id, name: given, size };
  },

  add: (hub, config, change) => members(hub, config, change, "add"),
  remove: (hub, config, change) => members(hub, config, change, "remove"),
};

/**
 * Adding somebody who is there, or removing somebody who is not, is no failure, so a try can be repeated.
 * @param {Hub} hub @param {Config} config @param {AudienceChange} change @param {"add" | "remove"} verb @returns {Outcome}
 */
function members(hub, config, change, verb) {
  const [found, failures] = emails(vendor, change);
  const url = at(config, `/v1/tags/${encode(change.audience)}/members`);
  for (let from = 0; from < found.length; from += MEMBERS) {
    const some = found.slice(from, from + MEMBERS);
    const request = Request.post(url).json({ [verb]: some.map((member) => member.email) }).auth("token").repeatable();
    answers(vendor.fetch(hub, request), some.length).forEach((result, place) => {
      if (result.status === "error") {
        failures.push(rejected(some[place].index, vendor.own(result.code), result.message ?? result.code));
      }
    });
  }
  return outcomeOf(failures);
}

/** @type {Privacy<Config>} */
export const privacy = {
  eraseSubject(hub, config, ids, requestId) {
    const email = plain(ids, "email");
    if (email === undefined) {
      return { status: { tag: "manual", val: "contacts are found by a plain email only" }, evidence: null };
    }
    try {
      const request = Request.post(at(config, "/v1/contacts/erase")).json({ email }).auth("token");
      const { erased } = vendor.fetch(hub, request);
      return { status: { tag: "done", val: erased }, evidence: JSON.stringify({ erased, request_id: requestId }) };
    } catch (error) {
      if (error instanceof ConnectorError && error.status === 404) {
        return { status: { tag: "not-found" }, evidence: null };
      }
      throw error;
    }
  },
};
