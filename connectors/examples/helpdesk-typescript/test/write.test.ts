// Writing against scripted answers, without WebAssembly.

import { calls } from "@onefold/sdk";
import { TestHub, chunk, json } from "@onefold/sdk/testing";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connector } from "../src/connector.js";

const call = calls(connector);
const CONFIG = '{"base_url": "https://desk.test/", "page_size": 2}';

test("rows that the vendor refuses are named, and those without a key are not sent", () => {
  const results = [{ status: "created", id: 1 }, { status: "error", code: "invalid_email", message: "no" }];
  const hub = TestHub.script([["POST https://desk.test/v1/contacts/upsert", json(200, { results })]]);
  const rows = chunk([{ name: "Nobody" }, { email: "a@x.test" }, { email: "b" }]);
  const outcome = call.write(hub, CONFIG, { target: "contacts", mode: "upsert", rows, idempotencyKey: "k1", verify: false });
  assert.deepEqual(
    outcome.failures.map(({ index, code }) => [index, code]),
    [[0, "helpdesk.no_email"], [2, "helpdesk.invalid_email"]],
  );
  assert.deepEqual(hub.bodies(), [{ contacts: [{ email: "a@x.test" }, { email: "b" }] }]);
});
