// A connector's configuration: a parsed document into a typed object, with errors that name the key and what was
// expected. Values beyond type and presence are checked by the hub, against `config.schema.json`.

import { ConnectorError } from "./errors.js";

/**
 * How one value is read.
 * @template T
 * @typedef {{ kind: string, fits: (value: unknown) => boolean, otherwise?: T, values?: readonly string[] }} Field
 */

/** A text. @param {string} [otherwise] what holds when it is missing; without it the key is required @returns {Field<string>} */
export function string(otherwise) {
  return { kind: "a string", fits: (value) => typeof value === "string", otherwise };
}

/** A whole number. @param {number} [otherwise] @returns {Field<number>} */
export function integer(otherwise) {
  return { kind: "an integer", fits: Number.isSafeInteger, otherwise };
}

/** @param {boolean} [otherwise] @returns {Field<boolean>} */
export function boolean(otherwise) {
  return { kind: "a boolean", fits: (value) => typeof value === "boolean", otherwise };
}

/** One of some words. @template {string} T @param {readonly T[]} values @param {T} [otherwise] @returns {Field<T>} */
export function choice(values, otherwise) {
  const known = /** @type {readonly unknown[]} */ (values);
  return { kind: `one of ${values.join(", ")}`, fits: (value) => known.includes(value), otherwise };
}

/**
 * A reader of configurations with exactly these keys. Throws errors of class `config`.
 * @template {Record<string, Field<any>>} F
 * @param {F} fields
 * @returns {(values: unknown) => { [K in keyof F]: F[K] extends Field<infer T> ? T : never }}
 */
export function fields(fields) {
  return (values) => {
    if (typeof values !== "object" || values === null || Array.isArray(values)) {
      throw ConnectorError.config("config.invalid", "in the configuration: an object was expected");
    }
    const unknown = Object.keys(values).find((key) => !Object.hasOwn(fields, key));
    if (unknown !== undefined) {
      const known = Object.keys(fields).map((key) => `\`${key}\``).join(", ");
      throw ConnectorError.config("config.invalid", `in the configuration: unknown field \`${unknown}\`, expected one of ${known}`);
    }
    const given = /** @type {Record<string, unknown>} */ (values);
    const read = Object.entries(fields).map(([key, field]) => [key, one(key, field, given[key])]);
    return Object.fromEntries(read);
  };
}

/** @param {string} key @param {Field<any>} field @param {unknown} value */
function one(key, field, value) {
  if (value === undefined) {
    if (field.otherwise === undefined) {
      throw ConnectorError.config("config.invalid", `in the configuration: missing field \`${key}\``);
    }
    return field.otherwise;
  }
  if (!field.fits(value)) {
    throw ConnectorError.config("config.invalid", `\`config.${key}\`: ${JSON.stringify(value)} is not ${field.kind}`);
  }
  return value;
}
