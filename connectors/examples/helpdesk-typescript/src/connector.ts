// The help desk: contacts and tickets in, contacts out, audiences as tags, erasure. Transport, retries and credentials
// are the hub's.

import { CheckReport, Connector, Hub, Request } from "@onefold/sdk";
import configSchema from "../config.schema.json" with { type: "json" };
import manifest from "../manifest.json" with { type: "json" };
import { audience, privacy } from "./audience.js";
import { source } from "./read.js";
import { Config, at, settings, vendor } from "./vendor.js";
import { destination } from "./write.js";

function check(hub: Hub, config: Config): CheckReport {
  const me = vendor.fetch(hub, Request.get(at(config, "/v1/me")).auth("token"));
  const warnings = me.scopes.includes("write") ? [] : ["the token may read but not write"];
  return { account: me.account, warnings };
}

export const connector: Connector<Config> = {
  manifest,
  configSchema,
  config: settings,
  check,
  source,
  destination,
  audience,
  privacy,
};
