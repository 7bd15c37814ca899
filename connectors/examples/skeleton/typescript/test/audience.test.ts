// Lists against scripted answers, without WebAssembly.

import { calls } from "@onefold/sdk";
import { TestHub, json } from "@onefold/sdk/testing";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connector } from "../src/connector.js";

const call = calls(connector);
const CONFIG = '{"base_url": "https://api.test"}';

test("members are added by their address", () => {
  const hub = TestHub.script([["POST https://api.test/lists/l1/add", json(200, {})]]);
  const members = [{ ids: [{ kind: "email", form: "plain", value: "a@x.test" } as const], traits: null }];
  const outcome = call.add(hub, CONFIG, { audience: "l1", members, idempotencyKey: "k", verify: false });
  assert.deepEqual(outcome.failures, []);
  assert.deepEqual(hub.bodies(), [{ emails: ["a@x.test"] }]);
});
