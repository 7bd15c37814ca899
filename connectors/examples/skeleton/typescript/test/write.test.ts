// Writing against scripted answers, without WebAssembly.

import { calls } from "@onefold/sdk";
import { TestHub, chunk, json } from "@onefold/sdk/testing";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connector } from "../src/connector.js";

const call = calls(connector);
const CONFIG = '{"base_url": "https://api.test"}';

test("rows are sent, and one without a key is a failure", () => {
  const hub = TestHub.script([["POST https://api.test/people", json(200, {})]]);
  const rows = chunk([{ name: "Nobody" }, { email: "a@x.test" }]);
  const outcome = call.write(hub, CONFIG, { target: "people", mode: "upsert", rows, idempotencyKey: "k1", verify: false });
  assert.deepEqual(outcome.failures.map((failure) => failure.index), [0]);
  assert.deepEqual(hub.bodies(), [{ people: [{ email: "a@x.test" }] }]);
});
