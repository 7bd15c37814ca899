// The words of the contract as types: what a call gets and what it gives back. There is no code here; how a call
// fails is `ConnectorError`.

import type { Request } from "./http.js";
import type { Chunk } from "./records.js";

export type { Chunk };

/** Everything that a connector can reach. No method blocks for ever: the hub bounds each. */
export interface Hub {
  /** Throws `HttpFailure` when no answer comes. */
  send(request: Request): Response;
  /** `fields` is a small object. */
  log(level: Level, message: string, fields?: object): void;
  /** True once the run should stop at the next safe point. */
  cancelled(): boolean;
  /** Milliseconds until the hub interrupts this call. */
  remainingMs(): number;
  /** Milliseconds since 1970 UTC. */
  nowMs(): number;
  progress(done: number, total?: number, note?: string): void;
  count(metric: string, by: number): void;
  /** A signature with a key that only the hub holds. */
  mac(credential: string, algorithm: MacAlgorithm, data: Uint8Array): Uint8Array;
  sha256(data: Uint8Array): Uint8Array;
}

export type Level = "trace" | "debug" | "info" | "warn" | "error";
export type MacAlgorithm = "hmac-sha1" | "hmac-sha256" | "hmac-sha512";

export interface Header {
  name: string;
  value: Uint8Array;
}

export interface Response {
  status: number;
  headers: Header[];
  body: Uint8Array;
}

/** Why no answer came. */
export type HttpErrorTag =
  | "denied"
  | "dns"
  | "connect"
  | "tls"
  | "timeout"
  | "response-too-large"
  | "cancelled"
  | "other";

export interface Detail {
  /** Stable, in the connector's own words, such as `hubspot.VALIDATION_ERROR`. */
  code: string;
  message: string;
  httpStatus: number | null;
  /** More facts as JSON. */
  data: string | null;
}

export interface CheckReport {
  /** The account's name or id at the vendor. */
  account?: string | null;
  warnings?: string[];
}

export interface StreamInfo {
  name: string;
  title: string;
  /** JSON Schema of one record. */
  schema: string;
  primaryKey: string[];
  cursorFields: string[];
  /** JSON object: path in the record to class of data. */
  dataClasses: string;
  supportsDeletes: boolean;
}

export interface ReadRequest {
  stream: string;
  part: string;
  cursor: Uint8Array | null;
  since: string | null;
  until: string | null;
  maxRecords: number;
  maxBytes: number;
}

/**
 * What one `read` returns. The hub applies the upserts before the deletes, so a key that is in both is deleted; see
 * `Found`. Between batches it keeps the order.
 */
export interface Batch {
  upserts: Chunk;
  /** Objects with the primary key fields only. */
  deletes: Chunk | null;
  /** Where the next batch begins. It is committed together with the rows, or not at all. */
  cursor: Uint8Array;
  /** Nothing more to read for now. */
  done: boolean;
}

export type Mode = "upsert" | "update-only" | "create-only" | "delete";

export interface TargetInfo {
  name: string;
  title: string;
  schema: string;
  modes: Mode[];
  keys: string[];
  maxBatch: number;
}

export interface WriteRequest {
  target: string;
  mode: Mode;
  rows: Chunk;
  idempotencyKey: string;
  /** An earlier try ended without an answer: look first. */
  verify: boolean;
}

/** A row that the vendor did not take. */
export interface Failure {
  index: number;
  retryable: boolean;
  code: string;
  message: string;
}

/** Rows that are not named succeeded. */
export interface Outcome {
  failures: Failure[];
  job: string | null;
}

export type IdKind = "email" | "phone" | "external-id" | "device" | "address";

export interface Identifier {
  kind: IdKind;
  form: "plain" | "sha256-hex";
  value: string;
}

export interface Member {
  ids: Identifier[];
  traits: string | null;
}

export interface AudienceRef {
  id: string;
  name: string;
  size: number | null;
}

export interface AudienceChange {
  audience: string;
  members: Member[];
  idempotencyKey: string;
  verify: boolean;
}

/** How an erasure stands: how many records were erased, a job for `pollErasure`, or what somebody has to do by hand. */
export type ErasureStatus =
  | { tag: "done"; val: number }
  | { tag: "pending"; val: string }
  | { tag: "not-found" }
  | { tag: "manual"; val: string };

export interface Erasure {
  status: ErasureStatus;
  /** JSON for the audit log. */
  evidence: string | null;
}

/** What a connector says about itself; the hub checks the whole of it. */
export interface Manifest {
  name: string;
  title: string;
  version: string;
  hosts: string[];
  streams?: {
    name: string;
    title: string;
    schema: object;
    primary_key: string[];
    cursor_fields?: string[];
    data_classes?: object;
    supports_deletes?: boolean;
  }[];
  targets?: { name: string; title: string; schema: object; modes: string[]; keys: string[]; max_batch: number }[];
}

/** What a connector implements. `C` is its configuration. */
export interface Connector<C> {
  /** The document `manifest.json`. */
  manifest: Manifest;
  /** The document `config.schema.json`, JSON Schema 2020-12 of the configuration. */
  configSchema: object;
  /** Turns the parsed configuration into the connector's own type, see `fields`. */
  config(values: unknown): C;
  /** Calls the vendor once to prove that the configuration and the credential work. */
  check(hub: Hub, config: C): CheckReport;
  source?: Source<C>;
  /** Rows; a connector that takes audiences only has none. */
  destination?: Destination<C>;
  audience?: Audience<C>;
  privacy?: Privacy<C>;
}

export interface Source<C> {
  /** The streams; those of the manifest unless the vendor has to be asked. */
  discover?(hub: Hub, config: C): StreamInfo[];
  /** Parts that can be read side by side. */
  split?(hub: Hub, config: C, stream: string, since: string | null): string[];
  read(hub: Hub, config: C, request: ReadRequest): Batch;
}

export interface Destination<C> {
  targets?(hub: Hub, config: C): TargetInfo[];
  write(hub: Hub, config: C, request: WriteRequest): Outcome;
  /** Null while a job goes on. */
  poll?(hub: Hub, config: C, job: string): Outcome | null;
}

export interface Audience<C> {
  /** One page of audiences and the token of the next. */
  listAudiences(hub: Hub, config: C, page: string | null): [AudienceRef[], string | null];
  /** Gives the audience of that name, making it when there is none. */
  create(hub: Hub, config: C, name: string, options: string | null): AudienceRef;
  add(hub: Hub, config: C, change: AudienceChange): Outcome;
  remove(hub: Hub, config: C, change: AudienceChange): Outcome;
  pollAudience?(hub: Hub, config: C, job: string): Outcome | null;
}

export interface Privacy<C> {
  eraseSubject(hub: Hub, config: C, ids: Identifier[], requestId: string): Erasure;
  pollErasure?(hub: Hub, config: C, job: string): Erasure;
}
