// Lists and their members, erasing people.

import { Audience, AudienceChange, ConnectorError, Hub, Outcome, Privacy, Request, emails, encode, outcomeOf, plain } from "@onefold/sdk";
import { Config, at, vendor } from "./vendor.js";

export const audience: Audience<Config> = {
  /** The second value is the next `page`. */
  listAudiences(hub, config, page) {
    const found = vendor.fetch(hub, Request.get(at(config, "/lists")).auth("token"));
    return [found.lists.map(({ id, name }: { id: string; name: string }) => ({ id, name, size: null })), null];
  },

  /** The list of that name, made only when there is none. */
  create(hub, config, name) {
    const made = vendor.fetch(hub, Request.post(at(config, "/lists")).json({ name }).auth("token").repeatable());
    return { id: made.id, name: made.name, size: null };
  },

  add: (hub, config, change) => members(hub, config, change, "add"),
  remove: (hub, config, change) => members(hub, config, change, "remove"),
};

/** Members who are in the list already, or no longer in it, count as done. */
function members(hub: Hub, config: Config, change: AudienceChange, verb: "add" | "remove"): Outcome {
  const [found, failures] = emails(vendor, change);
  const url = at(config, `/lists/${encode(change.audience)}/${verb}`);
  const body = { emails: found.map((member) => member.email) };
  vendor.send(hub, Request.post(url).json(body).auth("token").repeatable());
  return outcomeOf(failures);
}

export const privacy: Privacy<Config> = {
  eraseSubject(hub, config, ids) {
    const email = plain(ids, "email");
    if (email === undefined) {
      return { status: { tag: "manual", val: "people are found by a plain email only" }, evidence: null };
    }
    try {
      vendor.send(hub, Request.post(at(config, "/erase")).json({ email }).auth("token"));
      return { status: { tag: "done", val: 1 }, evidence: null };
    } catch (error) {
      if (error instanceof ConnectorError && error.status === 404) {
        return { status: { tag: "not-found" }, evidence: null };
      }
      throw error;
    }
  },
};
