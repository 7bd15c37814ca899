// The connector: its documents, its parts, and a proof that they work.

import { Request } from "@onefold/sdk";
import configSchema from "../config.schema.json" with { type: "json" };
import manifest from "../manifest.json" with { type: "json" };
import { audience, privacy } from "./audience.js";
import { source } from "./read.js";
import { at, settings, vendor } from "./vendor.js";
import { destination } from "./write.js";

/** @import { CheckReport, Connector, Hub } from "@onefold/sdk" */
/** @import { Config } from "./vendor.js" */

/** @param {Hub} hub @param {Config} config @returns {CheckReport} */
function check(hub, config) {
  // Any request that a wrong credential makes fail; the hub adds the credential that `auth` names.
  vendor.send(hub, Request.get(at(config, "/me")).auth("token"));
  return {};
}

/** @type {Connector<Config>} */
export const connector = {
  manifest,
  configSchema,
  config: settings,
  check,
  source,
  destination,
  audience,
  privacy,
};
