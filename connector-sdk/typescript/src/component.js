// A connector as a component: the hub behind the contract's imports, and the exports in the shapes that the engine
// wants. Only `onefold connector build` can resolve the imports; tests use `testing`.

import crypto from "onefold:connector/crypto@0.1.0";
import http from "onefold:connector/http@0.1.0";
import log from "onefold:connector/log@0.1.0";
import run from "onefold:connector/run@0.1.0";
import { calls } from "./call.js";
import { ConnectorError, HttpFailure } from "./errors.js";
import { described } from "./faults.js";
import { Chunk } from "./records.js";

const hub = {
  send(request) {
    try {
      return http.send({
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: request.body,
        auth: request.credential,
        bucket: request.bucketName,
        timeoutMs: request.timeoutMs,
        idempotent: request.idempotent,
      });
    } catch (error) {
      // The engine puts what the contract calls the error into the payload of one of its own.
      const said = error?.payload;
      throw said?.tag === undefined ? error : new HttpFailure(said.tag, said.val);
    }
  },
  log: (level, message, fields) => log.write(level, message, fields === undefined ? null : JSON.stringify(fields)),
  cancelled: () => run.cancelled(),
  remainingMs: () => run.remainingMs(),
  nowMs: () => run.nowMs(),
  progress: (done, total, note) => run.progress(done, total ?? null, note ?? null),
  count: (metric, by) => run.count(metric, by),
  mac: (credential, algorithm, data) => crypto.mac(credential, algorithm, data),
  sha256: (data) => crypto.sha256(data),
};

/**
 * The exports of a component: `export const { meta, source } = component(connector);` with the interfaces of its world.
 * @param {import("./contract.js").Connector<any>} connector
 */
export function component(connector) {
  const call = calls(connector);
  return {
    meta: {
      manifest: () => JSON.stringify(connector.manifest),
      configSchema: () => JSON.stringify(connector.configSchema),
      check: (config) => answer(() => {
        const { account = null, warnings = [] } = call.check(hub, config);
        return { account, warnings };
      }),
    },
    source: {
      discover: (config) => answer(() => call.discover(hub, config)),
      split: (config, stream, since) => answer(() => call.split(hub, config, stream, since)),
      read: ({ config, ...request }) => answer(() => {
        const batch = call.read(hub, config, request);
        return { ...batch, upserts: toWire(batch.upserts), deletes: batch.deletes && toWire(batch.deletes) };
      }),
    },
    destination: {
      targets: (config) => answer(() => call.targets(hub, config)),
      write: ({ config, ...request }) => answer(() => call.write(hub, config, { ...request, rows: fromWire(request.rows) })),
      poll: (config, job) => answer(() => call.poll(hub, config, job)),
    },
    audience: {
      listAudiences: (config, page) => answer(() => call.listAudiences(hub, config, page)),
      create: (config, name, options) => answer(() => call.create(hub, config, name, options)),
      add: ({ config, ...change }) => answer(() => call.add(hub, config, change)),
      remove: ({ config, ...change }) => answer(() => call.remove(hub, config, change)),
      poll: (config, job) => answer(() => call.pollAudience(hub, config, job)),
    },
    privacy: {
      eraseSubject: (config, ids, requestId) => answer(() => erasure(call.eraseSubject(hub, config, ids, requestId))),
      pollErasure: (config, job) => answer(() => erasure(call.pollErasure(hub, config, job))),
    },
  };
}

/** Gives what `work` gives; an error of the SDK becomes one of the contract, any other one a fault of the connector. */
function answer(work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof ConnectorError) {
      throw failure(error);
    }
    const detail = { code: "sdk.exception", message: described(error), httpStatus: null, data: null };
    throw { tag: "other", val: detail };
  }
}

function failure(error) {
  switch (error.tag) {
    case "cancelled":
      return { tag: "cancelled" };
    case "rate-limited":
      return { tag: error.tag, val: { detail: error.detail, retryAfterMs: error.retryAfterMs, bucket: error.bucket } };
    default:
      return { tag: error.tag, val: error.detail };
  }
}

function toWire(chunk) {
  return { encoding: "json-lines", count: chunk.count, data: chunk.data };
}

function fromWire({ encoding, count, data }) {
  if (encoding !== "json-lines") {
    const message = `rows came in the encoding \`${encoding}\`, which this connector does not know`;
    throw ConnectorError.permanent("sdk.encoding", message);
  }
  return new Chunk(count, data);
}

function erasure({ status, evidence }) {
  return [status, evidence];
}
