-- Columns are only text, bigint, double precision and bytea, so that one text serves SQLite and PostgreSQL;
-- `dialect.rs` says what changes between them. Tables marked clustered are stored in the order of their key.

create table hub (name text primary key, value text not null); --clustered

-- Every version of the manifests that was applied, the last one in force. `changes`: what it changed, in a line. `content`: what was read, compressed.
create table manifest_version (id bigint primary key, hash text not null, applied_at bigint not null, changes text not null, content bytea not null);

-- The next free id of each table whose ids are handed out by the writer.
create table counter (name text primary key, next bigint not null); --clustered

-- Work that one process does at a time. The token goes up each time somebody takes it; `attempts` counts failures in a row.
-- `again_at`: when a service retries what failed.
create table job (name text primary key, holder text, token bigint not null, leased_until bigint not null, attempts bigint not null, problem text,
  again_at bigint); --clustered

-- While a full read is under way, `full_since` is the first version that it could make, and `full_seen` how many records have come.
-- When a stream's key changes, its records move to a new generation, so that an old and a new key never meet. The last one is read.
-- `origin` is its first `SOURCE/NAME`, by which its records are known: see `namespace`.
create table stream (id bigint primary key, source text not null, name text not null, origin text not null, generation bigint not null, digest text not null,
  full_since bigint, full_seen bigint not null, unique (source, name, generation));
-- The versions that came again unchanged in a full read: 32,768 of them a block, a bit each.
create table full_seen (stream_id bigint not null, block bigint not null, bits bytea not null, primary key (stream_id, block)); --clustered

-- The sources that were renamed, each with the name by which its ids and records are known: the first that it had.
create table namespace (source text primary key, name text not null); --clustered

create table stream_cursor (stream_id bigint not null, part text not null, value bytea not null, updated_at bigint not null, primary key (stream_id, part)); --clustered

create table run (id bigint primary key, source text not null, stream text not null, started_at bigint not null, finished_at bigint,
  state text not null, read bigint not null, added bigint not null, changed bigint not null, unchanged bigint not null,
  deleted bigint not null, set_aside bigint not null, problem text);
-- What was due and was not run: how many times of a source, from the first to the last, why, and what was done instead. The ids are those of runs.
create table missed (id bigint primary key, source text not null, first_due bigint not null, last_due bigint not null, times bigint not null,
  noted_at bigint not null, reason text not null);

-- What operators paused: sources that are not read and destinations that are not delivered to. Never deleted; one that ended keeps its row.
create table pause (id bigint primary key, kind text not null, name text not null, reason text not null, author text not null, since bigint not null,
  ended_at bigint, ended_by text, ended_for text);

-- One row a record of a stream: what is known of it now. The slot is a hash of stream and key, moved on where it is taken.
create table record (slot bigint primary key, stream_id bigint not null, key text not null, hash bigint not null, version_id bigint not null,
  state bigint not null, updated_at bigint, first_seen bigint not null, evidence_id bigint, fact_id bigint);

-- Every version of every record, as received; never edited. `effect` is 0 when it became what is known of the record, 1 when it
-- says that the record was deleted, 2 when it was older than what was known, 3 when an operator wrote it in the place of the one before.
-- `changed_at`: the time that was known of the record's last change when a version came that says none of its own.
create table record_version (id bigint primary key, slot bigint not null, received_at bigint not null, effect bigint not null, body bytea not null, changed_at bigint);

-- What was sent to the hub: until it is landed with its body, and for some time with its id alone, so that it is known when it is sent
-- again. The hash is that of what was sent. `removes`: the body has the key of a record that is deleted.
create table inbox (id bigint primary key, source text not null, stream text not null, message text not null, hash bigint not null,
  received_at bigint not null, removes bigint not null, body bytea);
create unique index inbox_message on inbox (source, message, stream);
create index inbox_waiting on inbox (source, stream, id) where body is not null;
create index inbox_landed on inbox (received_at) where body is null;

-- `state`: open, closed (its record or row was looked at again), corrected or given_up, the last two with who decided so, when and why.
-- `slot`: the record's, or the change's id below zero; `version`: the record's version, or the change's generation, that it is about.
create table dead_letter (id bigint primary key, kind text not null, source text not null, stream text not null, slot bigint not null, version bigint not null,
  key text not null, field text not null, code text not null, message text not null, hint text, created_at bigint not null, state text not null,
  decided_at bigint, decided_by text, reason text);
create index dead_letter_open on dead_letter (slot) where state = 'open';
create index dead_letter_given_up on dead_letter (slot) where state = 'given_up';

-- The slot is a hash of kind and value, moved on where it is taken. A shared identifier and one without evidence have no component.
-- `consents`: a JSON array of what was said of consent about it (`model::ConsentStatement`), by records and by operators.
create table identifier (slot bigint primary key, kind text not null, value text not null, component bigint, shared bigint not null, consents text);

-- A distinct set of identifiers seen together, with its earliest supporter and the name that its records give. `nodes` holds the slots, eight bytes each, little endian.
create table evidence (id bigint primary key, component bigint not null, person_id bigint, nodes bytea not null, first_seen bigint not null, message text not null, name text);
create index evidence_component on evidence (component);

-- Only for shared identifiers: every evidence that holds one.
create table shared_evidence (slot bigint not null, evidence_id bigint not null, primary key (slot, evidence_id)); --clustered

-- The id is that of one piece of the person's evidence; the uuid follows from the earliest.
-- `consents`: a JSON object of what holds by purpose (`flow::commit::view::stored_consents`).
create table person (id bigint primary key, uuid bytea not null, component bigint not null, traits text not null, consents text not null, updated_at bigint not null);

-- Every uuid ever given out, and the evidence that it follows from, whose person it leads to.
create table alias (uuid bytea primary key, evidence_id bigint not null); --clustered
-- Evidence that is no more, and whose it would be.
create table heir (evidence_id bigint primary key, person_id bigint);

-- Components above the cap of identifiers, by name, and since when. `told`: an operator has been told.
create table capped (component bigint primary key, identifiers bigint not null, since bigint not null, told bigint not null);

-- Identifiers that joined people until records contradicted each other, and since when they do not. `told`: as above.
create table parted (slot bigint primary key, since bigint not null, told bigint not null);

-- What operators, and models with their leave, stated about two identifiers. Never deleted; a revoked one keeps its row.
create table statement (id bigint primary key, kind text not null, left_slot bigint not null, right_slot bigint not null, reason text not null, author text not null,
  stated_at bigint not null, revoked_at bigint, revoked_by text, revoked_for text);
create index statement_left on statement (left_slot);
create index statement_right on statement (right_slot);

create table claim (evidence_id bigint not null, slot bigint not null, source text not null, record text not null, time bigint not null, body text not null,
  primary key (evidence_id, slot)); --clustered

-- Events, and what people have (orders, subscriptions, products), whose names begin with U+001F.
create table event (id bigint primary key, evidence_id bigint not null, slot bigint not null, name text not null, time bigint not null, properties text not null);
-- What audiences ask of a person's events, without a look at the events themselves.
create index event_evidence on event (evidence_id, name, time);

-- Versions of fitted models. The latest of a name that was not dropped is the one that is asked.
create table model (id bigint primary key, kind text not null, name text not null, fitted_at bigint not null, body text not null, dropped_at bigint);

-- Pairs of people who look alike, by their ids. `state`: waiting, accepted, declined.
create table suggestion (id bigint primary key, model_id bigint not null, left_uuid bytea not null, right_uuid bytea not null, probability double precision not null,
  reasons text not null, state text not null);

-- Computed traits that have no value, or not the whole of it, for want of good data.
create table trait_fault (person_id bigint not null, trait text not null, kind text not null, primary key (person_id, trait)); --clustered

-- What records say about accounts, the winning values, and who belongs to which; place 0 is a person's main account.
create table account_claim (account text not null, slot bigint not null, source text not null, record text not null, time bigint not null,
  traits text not null, primary key (account, slot)); --clustered
create index account_claim_slot on account_claim (slot);
create table account (id text primary key, traits text not null); --clustered
create table account_person (person_id bigint not null, place bigint not null, account text not null, primary key (person_id, place)); --clustered
create index account_person_account on account_person (account);

create table audience (name text primary key, digest text not null); --clustered
create table membership (audience text not null, person_id bigint not null, since bigint not null, primary key (audience, person_id)); --clustered
create index membership_person on membership (person_id);
create table membership_log (id bigint primary key, audience text not null, person bytea not null, at bigint not null, entered bigint not null, cause text not null);
create table timer (audience text not null, person_id bigint not null, due_at bigint not null, primary key (audience, person_id)); --clustered
create index timer_due on timer (due_at);
create index timer_person on timer (person_id);
-- The same of audiences of accounts.
create table account_membership (audience text not null, account text not null, since bigint not null, primary key (audience, account)); --clustered
create index account_membership_account on account_membership (account);
create table account_membership_log (id bigint primary key, audience text not null, account text not null, at bigint not null, entered bigint not null, cause text not null);
create table account_timer (audience text not null, account text not null, due_at bigint not null, primary key (audience, account)); --clustered
create index account_timer_due on account_timer (due_at);

-- What each person should be at a destination. An object is `person:TARGET` or `audience:NAME`. `allowed`: consent is given and nothing suppresses it.
create table wanted (destination text not null, object text not null, person_id bigint not null, remote_key text not null, payload text not null, allowed bigint not null,
  primary key (destination, object, person_id)); --clustered
create index wanted_key on wanted (destination, object, remote_key);
create index wanted_person on wanted (person_id);
-- What the destination has acknowledged. `former` is what it had before, where that was something else; `own`: a JSON object of the fields
-- that hold what records of the same tool said when they were written, with the slots of those records.
create table acknowledged (destination text not null, object text not null, remote_key text not null, payload text not null, acknowledged_at bigint not null, former text, own text,
  primary key (destination, object, remote_key)); --clustered
-- Keys at which wanted and acknowledged may differ. `state`: pending, rejected, held (until it is marked again, or for a membership until the
-- destination has the person). `generation` goes up whenever the key is marked again
-- and whenever a delivery begins to send it: only the delivery that began last ends the change. `unsure`: an attempt has no answer yet;
-- `tried`: the rows that such attempts sent, as a JSON array. `attempts`: how often the vendor asked to send this row again.
create table change (id bigint primary key, destination text not null, object text not null, remote_key text not null, state text not null,
  generation bigint not null, unsure bigint not null, tried text not null, attempts bigint not null, code text, message text,
  unique (destination, object, remote_key));
create index change_waiting on change (destination, remote_key) where state in ('held', 'rejected');

create table destination (name text primary key, digest text not null); --clustered
-- A destination's ids of our audiences.
create table remote_audience (destination text not null, audience text not null, remote_id text not null, primary key (destination, audience)); --clustered

-- Keyed hashes of identifiers that asked not to be sent anywhere; the counter `suppression` goes up with each. `derived`: nobody named it,
-- it was the person's who had the one that was named.
create table suppression (hash bytea primary key, created_at bigint not null, reason text not null, derived bigint not null); --clustered
