// Tagging and erasing against scripted answers, without WebAssembly.

import { calls } from "@onefold/sdk";
import { TestHub, json } from "@onefold/sdk/testing";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connector } from "../src/connector.js";

const call = calls(connector);
const CONFIG = '{"base_url": "https://desk.test/", "page_size": 2}';

test("members are sent a hundred at a time", () => {
  const member = (n) => ({ ids: [{ kind: "email", form: "plain", value: `p${n}@x.test` }], traits: null });
  const members = Array.from({ length: 101 }, (_, n) => member(n));
  const added = (n) => json(200, { results: Array(n).fill({ status: "added" }) });
  const hub = TestHub.script([
    ["POST https://desk.test/v1/tags/t%201/members", added(100)],
    ["POST https://desk.test/v1/tags/t%201/members", json(200, { results: [{ status: "error", code: "unknown_contact" }] })],
  ]);
  const outcome = call.add(hub, CONFIG, { audience: "t 1", members, idempotencyKey: "k", verify: false });
  assert.deepEqual(outcome.failures, [{ index: 100, retryable: false, code: "helpdesk.unknown_contact", message: "unknown_contact" }]);
  hub.finish();
});

test("erasing somebody who is not there is no failure", () => {
  const hub = TestHub.script([
    ["POST https://desk.test/v1/contacts/erase", json(200, { erased: 1 })],
    ["POST https://desk.test/v1/contacts/erase", json(404, { error: { code: "not_found", message: "nobody" } })],
  ]);
  const erase = () => call.eraseSubject(hub, CONFIG, [{ kind: "email", form: "plain", value: "a@x.test" }], "r1").status;
  assert.deepEqual(erase(), { tag: "done", val: 1 });
  assert.deepEqual(erase(), { tag: "not-found" });
});
