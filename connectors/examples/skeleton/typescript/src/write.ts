// Writing people.

import { ConnectorError, Destination, Hub, Outcome, Request, WriteRequest, keyed, outcomeOf, unknown } from "@onefold/sdk";
import { Config, at, vendor } from "./vendor.js";

function write(hub: Hub, config: Config, request: WriteRequest): Outcome {
  // The targets of `manifest.json` and their modes.
  if (request.target !== "people") {
    throw unknown("target", request.target);
  }
  if (request.mode !== "upsert") {
    throw ConnectorError.config("helpdesk.mode", "people are only upserted");
  }
  const [rows, failures] = keyed(vendor, request, "email");
  if (rows.length > 0) {
    const body = `{"people":[${rows.map((row) => row.line).join(",")}]}`;
    // `repeatable` where a repetition changes nothing: the hub then tries again by itself.
    vendor.send(hub, Request.post(at(config, "/people")).jsonText(body).auth("token").repeatable());
  }
  // Add `rejected(row.index, code, message)` for each row that the vendor does not take.
  return outcomeOf(failures);
}

export const destination: Destination<Config> = { write };
