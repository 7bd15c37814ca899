// The calls of the contract, with the configuration still as JSON text. A component and a test go through the same
// functions.

import { ConnectorError } from "./errors.js";

/** @import { AudienceChange, Connector, Hub, Identifier, Outcome, ReadRequest, StreamInfo, TargetInfo, WriteRequest } from "./contract.js" */

/**
 * Runs a connector as the hub does.
 * @template C
 * @param {Connector<C>} connector
 */
export function calls(connector) {
  /** @param {string} text */
  const config = (text) => connector.config(parse(text));
  const source = part(connector.source, "source");
  const audience = part(connector.audience, "audience");
  const privacy = part(connector.privacy, "privacy");
  return {
    /** @param {Hub} hub @param {string} text */
    check: (hub, text) => connector.check(hub, config(text)),
    /** @param {Hub} hub @param {string} text */
    discover: (hub, text) => {
      const found = config(text);
      return source().discover?.(hub, found) ?? streamInfos(connector);
    },
    /** @param {Hub} hub @param {string} text @param {string} stream @param {string | null} since */
    split: (hub, text, stream, since = null) => {
      const found = config(text);
      return source().split?.(hub, found, stream, since) ?? [""];
    },
    /** @param {Hub} hub @param {string} text @param {ReadRequest} request */
    read: (hub, text, request) => source().read(hub, config(text), request),
    /** @param {Hub} hub @param {string} text */
    targets: (hub, text) => {
      const found = config(text);
      return connector.destination?.targets?.(hub, found) ?? targetInfos(connector);
    },
    /** @param {Hub} hub @param {string} text @param {WriteRequest} request */
    write: (hub, text, request) => {
      const found = config(text);
      if (connector.destination === undefined) {
        throw ConnectorError.permanent("connector.cannot", "this connector cannot write rows: it takes audiences only");
      }
      return connector.destination.write(hub, found, request);
    },
    /** @param {Hub} hub @param {string} text @param {string} job */
    poll: (hub, text, job) => polled(connector.destination?.poll?.(hub, config(text), job)),
    /** @param {Hub} hub @param {string} text @param {string | null} page */
    listAudiences: (hub, text, page = null) => audience().listAudiences(hub, config(text), page),
    /** @param {Hub} hub @param {string} text @param {string} name @param {string | null} options */
    create: (hub, text, name, options = null) => audience().create(hub, config(text), name, options),
    /** @param {Hub} hub @param {string} text @param {AudienceChange} change */
    add: (hub, text, change) => audience().add(hub, config(text), change),
    /** @param {Hub} hub @param {string} text @param {AudienceChange} change */
    remove: (hub, text, change) => audience().remove(hub, config(text), change),
    /** @param {Hub} hub @param {string} text @param {string} job */
    pollAudience: (hub, text, job) => polled(audience().pollAudience?.(hub, config(text), job)),
    /** @param {Hub} hub @param {string} text @param {Identifier[]} ids @param {string} requestId */
    eraseSubject: (hub, text, ids, requestId) => privacy().eraseSubject(hub, config(text), ids, requestId),
    /** @param {Hub} hub @param {string} text @param {string} job */
    pollErasure: (hub, text, job) =>
      privacy().pollErasure?.(hub, config(text), job) ?? { status: { tag: /** @type {const} */ ("not-found") }, evidence: null },
  };
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text.trim() === "" ? "{}" : text);
  } catch (error) {
    throw ConnectorError.config("config.invalid", `in the configuration: ${/** @type {Error} */ (error).message}`);
  }
}

/** @template T @param {T | undefined} given @param {string} name @returns {() => T} */
function part(given, name) {
  return () => {
    if (given === undefined) {
      throw ConnectorError.permanent("sdk.no_export", `this connector has no \`${name}\``);
    }
    return given;
  };
}

/** A connector without jobs has finished all of them. @param {Outcome | null | undefined} outcome */
function polled(outcome) {
  return outcome === undefined ? { failures: [], job: null } : outcome;
}

/** The streams of the manifest. @param {Connector<any>} connector @returns {StreamInfo[]} */
function streamInfos({ manifest }) {
  return (manifest.streams ?? []).map((stream) => ({
    name: stream.name,
    title: stream.title,
    schema: JSON.stringify(stream.schema),
    primaryKey: stream.primary_key,
    cursorFields: stream.cursor_fields ?? [],
    dataClasses: JSON.stringify(stream.data_classes ?? {}),
    supportsDeletes: stream.supports_deletes ?? false,
  }));
}

/** The targets of the manifest. @param {Connector<any>} connector @returns {TargetInfo[]} */
function targetInfos({ manifest }) {
  return (manifest.targets ?? []).map((target) => ({
    name: target.name,
    title: target.title,
    schema: JSON.stringify(target.schema),
    modes: /** @type {any} */ (target.modes),
    keys: target.keys,
    maxBatch: target.max_batch,
  }));
}
