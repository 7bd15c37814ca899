// Reading against scripted answers, without WebAssembly.

import { calls } from "@onefold/sdk";
import { TestHub, json, readAll, whole } from "@onefold/sdk/testing";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connector } from "../src/connector.js";

const call = calls(connector);
const CONFIG = '{"base_url": "https://api.test"}';

test("every page is read", () => {
  const hub = TestHub.script([
    ["GET https://api.test/people?limit=", json(200, '{"people":[{"id":"1"}],"next":"p2"}')],
    ["GET https://api.test/people?limit=", json(200, '{"people":[{"id":"2"}],"next":null}')],
  ]);
  const seen = readAll(whole("people"), (request) => call.read(hub, CONFIG, request));
  assert.deepEqual(seen.upserts, ['{"id":"1"}', '{"id":"2"}']);
  assert.match(hub.sent[1].url, /after=p2/);
  assert.equal(hub.sent[0].credential, "token");
  hub.finish();
});
