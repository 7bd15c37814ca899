// Writing contacts.

import { ConnectorError, Destination, Hub, Outcome, Request, WriteRequest, keyed, outcomeOf, rejected, unknown } from "@onefold/sdk";
import { answers } from "./audience.js";
import { Config, at, vendor } from "./vendor.js";

/** The vendor gives a repeated key its first answer again, so a batch without an answer is simply sent once more. */
function write(hub: Hub, config: Config, request: WriteRequest): Outcome {
  if (request.target !== "contacts") {
    throw unknown("target", request.target);
  }
  if (request.mode !== "upsert") {
    throw ConnectorError.config("helpdesk.mode", "contacts are only upserted");
  }
  const [rows, failures] = keyed(vendor, request, "email");
  if (rows.length === 0) {
    return outcomeOf(failures);
  }
  const upsert = Request.post(at(config, "/v1/contacts/upsert"))
    .header("Idempotency-Key", request.idempotencyKey)
    .jsonText(`{"contacts":[${rows.map((row) => row.line).join(",")}]}`)
    .auth("token")
    .repeatable();
  const results = answers(vendor.fetch(hub, upsert), rows.length);
  results.forEach((result, place) => {
    if (result.status === "error") {
      failures.push(rejected(rows[place].index, vendor.own(result.code), result.message ?? result.code));
    }
  });
  return outcomeOf(failures);
}

export const destination: Destination<Config> = { write };
