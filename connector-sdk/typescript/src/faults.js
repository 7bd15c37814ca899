// An exception that the connector did not expect, in one line: what it is, and where.

/**
 * `TypeError: cannot read property 'when' of undefined (src/source.ts:31, in read)`: the class, the message, and the last
 * place outside the SDK. What is thrown and is no error is shown as a text.
 * @param {unknown} error
 * @returns {string}
 */
export function described(error) {
  if (!(error instanceof Error)) {
    return `thrown: ${String(error)}`;
  }
  const what = error.message === "" ? error.name : `${error.name}: ${error.message}`;
  const places = String(error.stack ?? "").split("\n").map(place).filter((one) => one !== null);
  const own = places.find((one) => !one.isSdk) ?? places[0];
  return own === undefined ? what : `${what} (${own.text})`;
}

/** @param {string} line of a stack: `    at read (component.js:31:7)` */
function place(line) {
  const found = /^\s*at (?:(\S+) )?\(?([^()\s]+?):(\d+)(?::\d+)?\)?\s*$/.exec(line);
  if (found === null) {
    return null;
  }
  const [, name, file, at] = found;
  const [source, number] = original(file, Number(at));
  const inside = name === undefined || name === "<anonymous>" ? "" : `, in ${name}`;
  return { text: `${source}:${number}${inside}`, isSdk: source.includes("@onefold/sdk/") };
}

/**
 * Where a line of the bundle comes from: `onefold connector build` puts the names of the files and the line of each line into
 * the bundle, as `[names, [[file, line], ...]]`.
 * @param {string} file @param {number} line @returns {[string, number]}
 */
function original(file, line) {
  /** @type {any} */
  const lines = /** @type {any} */ (globalThis).__onefold_lines;
  const known = lines?.[1]?.[line - 1];
  return Array.isArray(known) ? [lines[0][known[0]], known[1]] : [file, line];
}
