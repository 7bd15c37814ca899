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

test("members are sent a hundred at a time", () => {
  const member = (n: number) => ({ ids: [{ kind: "email", form: "plain", value: `p${n}@x.test` } as const], traits: null });
  const members = Array.from({ length: 101 }, (_, n) => member(n));
  const added = (n: number) => json(200, { results: Array(n).fill({ status: "added" }) });
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
