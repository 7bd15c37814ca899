//! What differs between databases when a condition becomes a query. The functions `regexp(pattern, text)` and
//! `place(split, uuid)` are those of `expression`; the code that opens a SQLite database registers them there.

/// What databases express differently. Each takes and returns SQL text. Accessors return null when the value has another type.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// (JSON text, alias) → a row source with `alias.key`, one row for each field of the object.
    pub fields: fn(&str, &str) -> String,
    /// (alias of a field, alias) → the same for a field that is an object, or an array, whose keys are numbers from 0.
    pub nested: fn(&str, &str) -> String,
    /// (alias of a field, alias) → one row for each item if the field is a list, else none.
    pub items: fn(&str, &str) -> String,
    /// alias → its text.
    pub text: fn(&str) -> String,
    /// alias → its number.
    pub number: fn(&str) -> String,
    /// alias → 1 or 0.
    pub boolean: fn(&str) -> String,
    /// alias → whether it is the JSON null.
    pub is_null: fn(&str) -> String,
    /// (text, part) → whether the text contains the part, with case.
    pub contains: fn(&str, &str) -> String,
    /// (text, pattern) → whether the pattern is found in the text.
    pub matches: fn(&str, &str) -> String,
    /// (name of a split, person's uuid) → the person's place in it.
    pub split_position: fn(&str, &str) -> String,
    /// Where audiences of accounts have their members.
    pub account_membership: &'static str,
    /// What comes before a query, so that it can ask `drafted_membership`: what is stored, but for the audiences of accounts
    /// that `$1` lists by name, with their members' ids, since `$2`.
    pub drafted_membership: &'static str,
    /// text → milliseconds, null when it is not a time (see `Test::Before`).
    pub time: fn(&str) -> String,
}

pub const SQLITE: Dialect = Dialect {
    fields: |json, alias| format!("json_each({json}) as {alias}"),
    nested: |field, alias| format!("json_each({field}.value) as {alias}"),
    items: |field, alias| {
        format!(
            "json_each(case when {field}.type = 'array' then {field}.value else '[]' end) as {alias}"
        )
    },
    text: |field| format!("case when {field}.type = 'text' then {field}.value end"),
    number: |field| format!("case when {field}.type in ('integer', 'real') then {field}.value end"),
    boolean: |field| format!("case when {field}.type in ('true', 'false') then {field}.value end"),
    is_null: |field| format!("{field}.type = 'null'"),
    contains: |text, part| format!("instr({text}, {part}) > 0"),
    matches: |text, pattern| format!("regexp({pattern}, {text})"),
    split_position: |split, uuid| format!("split_position({split}, {uuid})"),
    account_membership: "account_membership",
    drafted_membership: "with drafted_membership (audience, account, since) as (select m.audience, m.account, m.since \
        from account_membership as m where m.audience not in (select key from json_each($1)) \
        union all select d.key, a.value, $2 from json_each($1) as d cross join json_each(d.value) as a) ",
    time: sqlite_time,
};

/// Agrees with `parse_time`: the date and clock must come back unchanged, which 30 February does not (24:00 does).
fn sqlite_time(text: &str) -> String {
    format!(
        "(select case \
         when length(t) = 10 and strftime('%Y-%m-%d', t) = t then unixepoch(t) * 1000 \
         when strftime('%Y-%m-%dT%H:%M:%S', substr(t, 1, 19)) = substr(t, 1, 19) \
         and substr(t, 12, 2) <= '23' \
         and (zone = 'Z' or (zone glob '[+-][0-9][0-9]:[0-9][0-9]' and substr(zone, 2, 2) <= '23' and substr(zone, 5) <= '59')) \
         and (fraction = '' or (length(fraction) between 2 and 10 and substr(fraction, 1, 1) = '.' \
         and not substr(fraction, 2) glob '*[^0-9]*')) \
         then unixepoch(substr(t, 1, 19)) * 1000 + cast(substr(substr(fraction, 2) || '000', 1, 3) as integer) \
         - case zone when 'Z' then 0 else case substr(zone, 1, 1) when '-' then -60000 else 60000 end \
         * (cast(substr(zone, 2, 2) as integer) * 60 + cast(substr(zone, 5) as integer)) end \
         end from (select t, zone, substr(t, 20, length(t) - 19 - length(zone)) as fraction \
         from (select t, case when substr(t, -1) = 'Z' then 'Z' else substr(t, -6) end as zone \
         from (select {text} as t) as given) as zoned) as parts)"
    )
}
