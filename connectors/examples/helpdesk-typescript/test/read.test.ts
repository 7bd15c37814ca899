// Reading against scripted answers, without WebAssembly.

import { calls } from "@onefold/sdk";
import { TestHub, fromCursor, json, readAll, whole } from "@onefold/sdk/testing";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connector } from "../src/connector.js";

const call = calls(connector);
const CONFIG = '{"base_url": "https://desk.test/", "page_size": 2}';

test("records are passed on as they were written, tombstones as deletes", () => {
  const first = '{"contacts":[{"id":12345678901234567890,"score":1.10},{"id":2, "x":1e2}],"next":"a/1","more":true}';
  const second = '{"contacts":[{"id":98765432109876543210,"deleted":true,"updated_at":"x"}],"next":"a2","more":false}';
  const hub = TestHub.script([
    ["GET https://desk.test/v1/contacts?limit=2", json(200, first)],
    ["GET https://desk.test/v1/contacts?limit=2&after=a%2F1", json(200, second)],
  ]);
  const seen = readAll(whole("contacts"), (request) => call.read(hub, CONFIG, request));
  assert.deepEqual(seen.upserts, ['{"id":12345678901234567890,"score":1.10}', '{"id":2, "x":1e2}']);
  assert.deepEqual(seen.deletes, ['{"id":98765432109876543210}']);
  assert.equal(hub.sent[0].credential, "token");
  hub.finish();
});

test("a record that is deleted and created again is there", () => {
  const first = '{"tickets":[{"id":"T-1","deleted":true},{"id":"T-2","deleted":true}],"next":"a1","more":true}';
  const second = '{"tickets":[{"id":"T-1","subject":"again"}],"next":"a2","more":false}';
  const hub = TestHub.script([
    ["GET https://desk.test/v1/tickets?limit=2", json(200, first)],
    ["GET https://desk.test/v1/tickets?limit=2&after=a1", json(200, second)],
  ]);
  const seen = readAll(whole("tickets"), (request) => call.read(hub, CONFIG, request));
  assert.deepEqual([seen.upserts, seen.deletes], [['{"id":"T-1","subject":"again"}'], ['{"id":"T-2"}']]);
});

test("a cursor that the vendor no longer knows asks for a fresh start", () => {
  const gone = json(410, { error: { code: "cursor_expired", message: "too old" } });
  const hub = TestHub.script([["GET https://desk.test/v1/tickets?limit=2&after=old", gone]]);
  const request = fromCursor("tickets", new TextEncoder().encode('{"after":"old"}'));
  assert.throws(() => call.read(hub, CONFIG, request), { tag: "cursor-expired" });
});
