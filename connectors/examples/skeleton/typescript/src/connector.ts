// The connector: its documents, its parts, and a proof that they work.

import { CheckReport, Connector, Hub, Request } from "@onefold/sdk";
import configSchema from "../config.schema.json" with { type: "json" };
import manifest from "../manifest.json" with { type: "json" };
import { audience, privacy } from "./audience.js";
import { source } from "./read.js";
import { Config, at, settings, vendor } from "./vendor.js";
import { destination } from "./write.js";

function check(hub: Hub, config: Config): CheckReport {
  // Any request that a wrong credential makes fail; the hub adds the credential that `auth` names.
  vendor.send(hub, Request.get(at(config, "/me")).auth("token"));
  return {};
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
