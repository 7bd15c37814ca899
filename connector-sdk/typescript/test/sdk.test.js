// The SDK against simpler oracles.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectorError, Found, HttpFailure, Request, Vendor, config, cut, done, encode, keyed, more, nextLink, readPages } from "../src/index.js";
import { TestHub, chunk, json, readAll, whole } from "../src/testing.js";

const bytes = (text) => new TextEncoder().encode(text);
const texts = (body, path) => cut(bytes(body), path).rows.map((row) => Buffer.from(row.bytes).toString());
const refused = (tag) => (error) => error instanceof ConnectorError && error.tag === tag;

test("records come out as they were written and the rest is the envelope", () => {
  const body = '{"total": 2, "results":[{"a":"x]},\\"{","b":[1,{}]},{"a":1e5, "b":null},{"n":12345678901234567890.10,"é":"ü"}],"next":"7"}';
  assert.deepEqual(texts(body, ["results"]), ['{"a":"x]},\\"{","b":[1,{}]}', '{"a":1e5, "b":null}', '{"n":12345678901234567890.10,"é":"ü"}']);
  const page = cut(bytes(body), ["results"]);
  assert.deepEqual(page.envelope(), { total: 2, results: [], next: "7" });
  assert.equal(page.rows[2].raw("n"), "12345678901234567890.10");
  assert.equal(page.rows[2].get("é"), "ü");
  assert.equal(page.rows[2].raw("m"), undefined);
});

test("a record of several lines becomes one", () => {
  assert.deepEqual(texts('[\r\n  {\n    "a": "b \\"  ć",\n\t"d": [ 1,\n 2 ]\n  }\n]\n', []), ['{"a":"b \\"  ć","d":[1,2]}']);
});

// I17
test("a value that cannot be read costs no other record", () => {
  const deep = "[".repeat(200) + "]".repeat(200);
  const objects = `${'{"a":'.repeat(200)}1${"}".repeat(200)}`;
  for (const bad of [String.raw`"\ud83d"`, String.raw`"x\udc00"`, "1e400", "-1E+999", "NaN", "Infinity", "-Infinity", deep, objects]) {
    const row = `{"id":2,"bad":${bad},"deleted":true}`;
    const others = ['{"id":1}', '{"id":3,"name":"NaN"}'];
    for (const rows of [[row, ...others], [others[0], row, others[1]], [...others, row], [row], [bad, row]]) {
      const body = `{"rows":[${rows.join(",")}],"more":${bad},"next":"7"}`;
      assert.deepEqual(texts(body, ["rows"]), rows, body.slice(0, 80));
      const page = cut(bytes(body), ["rows"]);
      assert.equal(page.envelope().next, "7");
      const found = page.rows[rows.indexOf(row)];
      assert.deepEqual([found.raw("id"), found.get("id"), found.get("deleted"), found.value().id], ["2", 2, true, 2]);
    }
    const hub = new TestHub(() => ({ status: 200, headers: [], body: bytes(`{"errors":[{"of":1}],"bad":${bad}}`) }));
    assert.deepEqual(new Vendor({ name: "acme", code: [], message: [] }).fetch(hub, Request.get("https://acme")).errors, [{ of: 1 }]);
  }
  // What nothing reads is the hub's to set aside.
  assert.equal(cut(bytes('[{"id":nan},{"id":1}]'), []).rows[0].get("id"), undefined);
  const found = new Found();
  found.upserts.push({ id: 1, rate: 1e999, note: null });
  assert.equal(found.finish(encode("1"), true).upserts.lines()[0], '{"id":1,"note":null}');
});

test("a page cut short anywhere, or no JSON, is transient", () => {
  const body = bytes('{"results":[{"a":"\\u00e9\\\\"},{"b":[true,-1.5]}],"more":false}');
  assert.equal(cut(body, ["results"]).rows.length, 2);
  for (let end = 0; end < body.length; end += 1) {
    assert.throws(() => cut(body.subarray(0, end), ["results"]), refused("transient"), `cut at ${end}`);
  }
  for (const text of ["<html>", '{"results":[}]}', "{} {}", "[1]", '{"results":[{"a":"x\ny"}]}', '{"results":null}', '{"results":[1 2]}', '{"results":[],"results":[{}]}']) {
    assert.throws(() => cut(bytes(text), ["results"]), refused("transient"), text);
  }
});

test("any document is cut as a parser would cut it", () => {
  let state = 7;
  const random = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const pieces = ["", '"', "\\", "\n", "é", "},{", "}]", "0123456789", "😀"];
  const value = (depth) => {
    switch (depth === 0 ? random(3) : random(5)) {
      case 0:
        return random(1000) / 8;
      case 1:
        return [null, true, false][random(3)];
      case 2:
        return Array.from({ length: random(4) }, () => pieces[random(pieces.length)]).join("");
      case 3:
        return Array.from({ length: random(4) }, () => value(depth - 1));
      default:
        return Object.fromEntries(Array.from({ length: random(4) }, () => [`k${random(9)}`, value(depth - 1)]));
    }
  };
  for (let round = 0; round < 2000; round += 1) {
    const rows = Array.from({ length: random(5) }, () => value(4));
    const page = { before: value(3), rows, z: value(2) };
    for (const body of [JSON.stringify(page), JSON.stringify(page, null, 2)]) {
      const lines = texts(body, ["rows"]);
      assert.ok(lines.every((line) => !line.includes("\n")));
      assert.deepEqual(lines.map((line) => JSON.parse(line)), rows, body);
    }
  }
});

test("no row is lost or repeated at any bound", () => {
  const numbers = (cursor, room, found) => {
    const end = Math.min(cursor + Math.min(room, 10), 100);
    for (let n = cursor; n < end; n += 1) found.upserts.push({ n });
    return end === 100 ? done(end) : more(end);
  };
  for (const [maxRecords, maxBytes] of [[1, 1], [7, 1e6], [25, 40], [1000, 200], [1000, 1e6]]) {
    const hub = new TestHub(() => assert.fail());
    const request = { ...whole("x"), maxRecords, maxBytes };
    const seen = readAll(request, (one) => readPages(hub, one, () => 0, numbers));
    assert.deepEqual(seen.upserts, Array.from({ length: 100 }, (_, n) => `{"n":${n}}`));
  }
});

test("a failure after the first page keeps the pages before it, one on the first does not", () => {
  const hub = new TestHub(() => assert.fail());
  const page = (cursor, _room, found) => {
    found.upserts.push({ cursor });
    if (cursor === 3) throw ConnectorError.transient("x", "broke after its row");
    return more(cursor + 1);
  };
  const batch = readPages(hub, whole("x"), () => 0, page);
  assert.deepEqual([batch.upserts.count, batch.done, Buffer.from(batch.cursor).toString()], [3, false, "3"]);
  assert.throws(() => readPages(hub, whole("x"), () => 3, page), refused("transient"));
  assert.throws(() => readPages(hub, { ...whole("x"), cursor: bytes("{") }, () => 0, page), refused("cursor-expired"));
  assert.throws(() => readPages(new TestHub(() => assert.fail()).cancel(), whole("x"), () => 0, page), refused("cancelled"));
});

/** What a batch of these pages holds; each row is `+` or `-` and JSON. */
const gathered = (...pages) => {
  const page = (number, _room, found) => {
    for (const [sign, line] of pages[number]) {
      sign === "+" ? found.upserts.pushText(line) : found.deleteText(line);
    }
    return number + 1 === pages.length ? done(0) : more(number + 1);
  };
  const batch = readPages(new TestHub(() => assert.fail()), whole("x"), () => 0, page);
  assert.equal(batch.deletes?.lines().length, batch.deletes?.count);
  return [batch.upserts.lines(), batch.deletes?.lines() ?? []];
};

test("a record that is deleted and created again is not deleted", () => {
  const [gone, again, other] = [["-", '{"id":1}'], ["+", '{"id":1,"name":"new"}'], ["+", '{"id":2}']];
  assert.deepEqual(gathered([gone], [other, again]), [['{"id":2}', '{"id":1,"name":"new"}'], []]);
  assert.deepEqual(gathered([other, gone, again]), [['{"id":2}', '{"id":1,"name":"new"}'], []]);
});

test("the vendor's last word counts", () => {
  const [gone, here] = [["-", '{"id":1}'], ["+", '{"id":1,"name":"old"}']];
  assert.deepEqual(gathered([here], [gone])[1], ['{"id":1}']);
  assert.deepEqual(gathered([here, gone])[1], ['{"id":1}']);
  assert.deepEqual(gathered([gone, here], [gone])[1], ['{"id":1}']);
  assert.deepEqual(gathered([gone], [here, gone, here, ["-", '{"id":2}']])[1], ['{"id":2}']);
});

test("keys are compared as JSON values", () => {
  const same = [
    ['{"id":7}', '{"name":"x","id":7.0}'],
    ['{"id":70}', '{"id":7e1}'],
    ['{"id":-0.0}', '{"id":0}'],
    ['{"id":12345678901234567890123}', '{"id":12345678901234567890123}'],
    ['{"id":"a\u00e9"}', '{ "\\u0069d" : "a\\u00e9" }'],
    ['{"id":"a/b\\n"}', '{"id":"a\\/b\\u000a"}'],
    ['{"id":"\\ud83d"}', '{"id":"\\ud83d"}'],
    ['{"a":1,"b":"x"}', '{"b":"x","c":3,"a":1}'],
    ['{"key":{"a":1,"b":2}}', '{"key":{"b":2,"c":3,"a":1.0}}'],
    ['{"id":[1,{"a":2}]}', '{"id":[ 1, {"a": 2} ]}'],
    ['{"id":null}', '{"id":null}'],
    ['{"id":1}', '{"id":1,"id":2}'],
    [`{"id":1${"0".repeat(50)}}`, '{"id":1e50}'],
    ['{"a.b":"x"}', '{"a.b":"x"}'],
  ];
  for (const [key, record] of same) assert.deepEqual(gathered([["-", key]], [["+", record]]), [[record], []], key);
});

test("other keys, and what is not a key, leave the delete alone", () => {
  const deep = `${'{"id":'.repeat(5_000)}1${"}".repeat(5_000)}`;
  const different = [
    ['{"id":7}', '{"id":"7"}'],
    ['{"id":7}', '{"id":70}'],
    ['{"id":7}', '{"id":-7}'],
    ['{"id":7}', '{"id":7e40}'],
    ['{"id":0}', '{"id":0.5}'],
    ['{"id":"a"}', '{"id":"ab"}'],
    ['{"id":2}', '{"id":1,"id":2}'],
    ['{"id":12345678901234567890123}', '{"id":12345678901234567890124}'],
    ['{"id":1e1999999999999}', '{"id":1e1999999999998}'],
    ['{"id":"\\ud83d"}', '{"id":"\\ud83e"}'],
    ['{"id":"a"}', '{"id":"A"}'],
    ['{"id":"{1}"}', '{"id":{"1":1}}'],
    ['{"a":1,"b":2}', '{"a":1,"b":3}'],
    ['{"a":1,"b":2}', '{"a":1}'],
    ['{"key":{"a":1}}', '{"key":1}'],
    ['{"key":{"a":1}}', '{"key":[{"a":1}]}'],
    ['{"id":[1,2]}', '{"id":[1]}'],
    ['{"id":true}', '{"id":"true"}'],
    ['{"id":null}', "{}"],
    ["{}", '{"id":1}'],
    ['{"id":1}', "7"],
    ['{"id":1}', '{"id":1'],
    ['{"id":1}', "x"],
    ["[1]", "[1]"],
    ['{"id":1', '{"id":1}'],
    ['{"id":1}', deep],
    [deep, '{"id":1}'],
  ];
  for (const [key, record] of different) assert.deepEqual(gathered([["-", key]], [["+", record]]), [[record], [key]], key.slice(0, 99));
});

test("a page that fails takes its part back", () => {
  const page = (number, _room, found) => {
    if (number === 0) {
      found.delete({ id: 1 });
      return more(1);
    }
    found.upserts.push({ id: 1 });
    found.delete({ id: 2 });
    throw ConnectorError.transient("x", "broke after its rows");
  };
  const batch = readPages(new TestHub(() => assert.fail()), whole("x"), () => 0, page);
  assert.deepEqual([batch.upserts.count, batch.deletes?.lines(), Buffer.from(batch.cursor).toString()], [0, ['{"id":1}'], "1"]);
});

test("the status decides the class, and the vendor's words are kept", () => {
  const acme = new Vendor({ name: "acme", code: ["/error/code"], message: ["/error/message", "/message"] });
  const fails = (status, body = "", headers = {}) => {
    try {
      acme.send(new TestHub(() => json(status, body, headers)), Request.get("https://acme.test/").bucket("slow"));
    } catch (error) {
      return error;
    }
    return assert.fail("it worked");
  };
  const classes = { 302: "other", 401: "auth", 403: "permission", 404: "permanent", 408: "transient", 422: "permanent", 429: "rate-limited", 500: "transient" };
  for (const [status, tag] of Object.entries(classes)) assert.equal(fails(Number(status), "<p>").tag, tag, status);
  const said = fails(400, { error: { code: "bad", message: "no such field" } });
  assert.equal(said.message, "acme.bad: acme answered 400: no such field");
  const wait = (value) => fails(429, "{}", { "Retry-After": value }).retryAfterMs;
  assert.deepEqual(["3", "0.25", "Wed, 21 Oct 2026 07:28:00 GMT", "-1", "", " 3 ", "1e308", "0x10"].map(wait), [3000, 250, null, null, null, 3000, null, null]);
  assert.equal(fails(429).bucket, "slow");
  const unanswered = (tag) => () => acme.send(new TestHub(() => { throw new HttpFailure(tag, "why"); }), Request.get("x"));
  assert.throws(unanswered("timeout"), refused("transient"));
  assert.throws(unanswered("denied"), refused("config"));
  assert.throws(unanswered("response-too-large"), refused("permanent"));
  assert.throws(() => acme.fetch(new TestHub(() => json(200, "<p>")), Request.get("x")), refused("transient"));
});

test("a configuration names the key that is wrong", () => {
  const read = config.fields({ list: config.string(), size: config.integer(7), mode: config.choice(["a", "b"], "a") });
  assert.deepEqual(read({ list: "x" }), { list: "x", size: 7, mode: "a" });
  assert.throws(() => read({}), /missing field `list`/);
  assert.throws(() => read({ list: "x", size: "many" }), /`config.size`: "many" is not an integer/);
  assert.throws(() => read({ list: "x", sise: 1 }), /unknown field `sise`/);
  assert.throws(() => read({ list: "x", mode: "c" }), /one of a, b/);
  assert.throws(() => read([]), refused("config"));
});

test("rows without a key, or with another row's, are failures", () => {
  const acme = new Vendor({ name: "acme", code: [], message: [] });
  const rows = chunk([{ email: "A@x " }, { email: "a@X" }, { n: 1 }, { email: " " }, { email: "b", n: 1 }]);
  const [kept, failures] = keyed(acme, { rows }, "email");
  assert.deepEqual(kept.map((row) => [row.index, row.key, row.line]), [[0, "A@x ", '{"email":"A@x "}'], [4, "b", '{"email":"b","n":1}']]);
  assert.deepEqual(failures.map((one) => [one.index, one.code]), [[1, "acme.duplicate"], [2, "acme.no_email"], [3, "acme.no_email"]]);
});

// I17
test("a row that cannot be sent costs no other row", () => {
  const acme = new Vendor({ name: "acme", code: [], message: [] });
  for (const bad of [String.raw`"\ud83d"`, "1e400", "NaN", "-Infinity"]) {
    const text = ['{"email":"a"}', `{"email":"b","bad":${bad}}`, '{"email":"c"}'];
    for (const order of [[0, 1, 2], [1, 0, 2], [0, 2, 1], [1]]) {
      const lines = order.map((at) => text[at]);
      const [kept, failures] = keyed(acme, { rows: { lines: () => lines } }, "email");
      assert.deepEqual(kept.map((row) => row.key), order.filter((at) => at !== 1).map((at) => "abc"[at]), bad);
      assert.deepEqual(failures.map((one) => one.index), [order.indexOf(1)]);
    }
  }
});

test("addresses are encoded and links are found", () => {
  assert.equal(encode("a/b é!'()*~"), "a%2Fb%20%C3%A9%21%27%28%29%2A~");
  const link = (text) => nextLink({ status: 200, headers: [{ name: "Link", value: bytes(text) }], body: bytes("") });
  assert.equal(link('<https://a/?page=1,2>; rel="prev", <https://a/?page=3>; title=x; rel="next"'), "https://a/?page=3");
  assert.equal(link("<https://a/>; rel=last"), null);
});
