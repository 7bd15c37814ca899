//! What a client sent, as records of the collector's streams: the shape is that of Segment's HTTP API.

use crate::canonical::{REFUSED, readable};
use crate::expression::to_timestamp;
use crate::flow::Incoming;
use crate::landing;
use crate::model::{Timestamp, Value};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// An event may be this long, in bytes.
pub const EVENT_BYTES: usize = 32 << 10;
/// What a batch says of all of its messages may be this long.
const CONTEXT_BYTES: usize = 8 << 10;
/// A batch may have so many messages.
const MESSAGES: usize = 2_500;
/// Longer ids are kept as their hash.
const ID_BYTES: usize = 256;
/// How far a clock may seem to be behind for the way that a request took, and ahead at all.
const ON_ITS_WAY_MS: i64 = 5 * 60_000;
const AHEAD_MS: i64 = 5_000;

/// What is kept of IP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    Keep,
    /// Without the last part, which says which machine of a network it was.
    Cut,
    Drop,
}

/// What the request says outside its body.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The call that the route names; none where each message says it.
    pub call: Option<&'a str>,
    pub received_at: Timestamp,
    /// The browser says that its user wants nothing sold or shared.
    pub has_privacy_signal: bool,
    pub addresses: Addresses,
}

/// A body as it was sent.
#[derive(Debug)]
pub struct Body {
    pub write_key: Option<String>,
    messages: Vec<Sent>,
    sent_at: Option<Timestamp>,
    context: Option<Value>,
}

/// One message, and its text where that says more than its value: what cannot be read is for landing to judge.
#[derive(Debug)]
struct Sent {
    fields: Map<String, Value>,
    damaged: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    batch: Option<Vec<&'a RawValue>>,
}

/// Reads a body; none when it is not a JSON object, even without the values that cannot be read.
pub fn parse(body: &[u8], is_batch: bool) -> Option<Body> {
    let (Value::Object(mut fields), is_damaged) = readable(body)? else {
        return None;
    };
    // What is damaged is taken as it was written, where that is JSON.
    let text = is_damaged.then(|| String::from_utf8_lossy(body));
    let text = text.as_deref();
    let write_key = fields.get("writeKey").and_then(Value::as_str);
    let write_key = write_key.map(str::to_owned);
    let sent_at = fields.get("sentAt").and_then(moment);
    // A single message keeps its own.
    let context = match is_batch {
        true => fields.remove("context"),
        false => None,
    };
    let messages = match is_batch {
        true => {
            let Some(Value::Array(values)) = fields.remove("batch") else {
                return None;
            };
            let raw = text.and_then(|text| serde_json::from_str::<Envelope<'_>>(text).ok());
            let raw = raw.and_then(|envelope| envelope.batch).unwrap_or_default();
            let mut raw = raw.into_iter().map(RawValue::get);
            let sent = values.into_iter().map(|value| Sent::of(value, raw.next()));
            sent.collect()
        }
        false => vec![Sent::of(Value::Object(fields), text)],
    };
    Some(Body {
        write_key,
        messages,
        sent_at,
        context,
    })
}

impl Sent {
    fn of(value: Value, raw: Option<&str>) -> Self {
        let damaged = raw.filter(|raw| serde_json::from_str::<Value>(raw).is_err());
        let damaged = damaged.map(|raw| raw.trim().replace(['\n', '\r'], " "));
        match value {
            Value::Object(fields) => Self { fields, damaged },
            other => Self {
                fields: Map::from_iter([("message".to_owned(), other)]),
                damaged: None,
            },
        }
    }
}

impl Body {
    /// Why there is more of it than is taken at once: what a batch says of all messages becomes a part of each.
    pub fn excess(&self) -> Option<&'static str> {
        let is_long = |context: &Value| context.to_string().len() > CONTEXT_BYTES;
        if self.messages.len() > MESSAGES {
            return Some("a batch may have 2,500 messages; send smaller ones");
        }
        let is_long = self.context.as_ref().is_some_and(is_long);
        is_long.then_some(
            "the `context` of a batch may have 8 KiB; send it with the messages that need it",
        )
    }
}

/// The messages of a body as records of the streams that they belong to.
pub fn records(body: Body, about: &About<'_>) -> Vec<Incoming> {
    let skew = body.sent_at.and_then(|sent_at| skew(sent_at, about));
    let mut records = Vec::new();
    for sent in body.messages {
        records.extend(record(sent, body.context.as_ref(), skew, about));
    }
    records
}

/// How far the client's clock is off; none where the difference may be the way that the request took. S6: what was only slow stays where
/// the client puts it.
fn skew(sent_at: Timestamp, about: &About<'_>) -> Option<i64> {
    let skew = about.received_at.0 - sent_at.0;
    (!(-AHEAD_MS..=ON_ITS_WAY_MS).contains(&skew)).then_some(skew)
}

/// A time in any of the forms that mappings read.
fn moment(value: &Value) -> Option<Timestamp> {
    to_timestamp(value).ok()
}

fn record(
    sent: Sent,
    context: Option<&Value>,
    skew: Option<i64>,
    about: &About<'_>,
) -> Vec<Incoming> {
    let Sent {
        mut fields,
        damaged,
    } = sent;
    // What only the hub says.
    fields.remove(REFUSED);
    let (hash, bytes) = hash_of(&fields);
    let call = about.call.map(str::to_owned);
    let call = call.or_else(|| Some(fields.get("type")?.as_str()?.to_lowercase()));
    let call = call.unwrap_or_default();
    let id = id_of(&fields, hash, about.received_at);
    let own = fields.get("sentAt").and_then(moment);
    let skew = skew.or_else(|| own.and_then(|sent_at| self::skew(sent_at, about)));
    let mut added = Map::new();
    added.insert("messageId".to_owned(), json!(id));
    added.insert("type".to_owned(), json!(call));
    let received = about.received_at.to_rfc3339();
    added.insert("receivedAt".to_owned(), json!(received));
    let times = times(&fields, skew, about.received_at);
    let refused = refused(&fields, &call, bytes).or_else(|| times.as_ref().err().cloned());
    added.extend(times.unwrap_or_default());
    added.extend(context_of(&fields, context, about).map(|of| ("context".to_owned(), of)));
    if let Some(why) = &refused {
        added.insert(REFUSED.to_owned(), json!(why));
    }
    let is_long = bytes > EVENT_BYTES;
    if is_long {
        fields = cut(fields);
        added.remove("context");
    }
    let body = match damaged.filter(|_| !is_long) {
        Some(text) => spliced(&text, &added),
        None => {
            fields.remove("writeKey");
            fields.extend(added);
            Value::Object(fields).to_string()
        }
    };
    let streams: &[&'static str] = match call.as_str() {
        _ if refused.is_some() => &[],
        "identify" => &["identifies"],
        "group" => &["memberships", "accounts"],
        "alias" => &["aliases"],
        _ => &["events"],
    };
    let of_stream = |stream: Option<&&'static str>| Incoming {
        stream: stream.copied().unwrap_or_default().into(),
        id: id.clone(),
        hash,
        removes: false,
        body: body.clone().into_bytes(),
    };
    match streams {
        // Whatever stream there is shows it as a dead letter.
        [] => vec![of_stream(None)],
        streams => streams.iter().map(|one| of_stream(Some(one))).collect(),
    }
}

/// Why a message is none of the calls, if so.
fn refused(fields: &Map<String, Value>, call: &str, bytes: usize) -> Option<String> {
    let lacks = |name: &str| matches!(fields.get(name), None | Some(Value::Null));
    let needs = match call {
        "group" => Some("groupId"),
        "alias" => Some("previousId"),
        "identify" | "track" | "page" | "screen" => None,
        "" => return Some("it has no `type`, which says which call it is".to_owned()),
        _ => {
            return Some(
                "its `type` is not `identify`, `track`, `page`, `screen`, `group` or `alias`"
                    .to_owned(),
            );
        }
    };
    if bytes > EVENT_BYTES {
        return Some(format!(
            "it has {bytes} bytes, and a message may have {EVENT_BYTES}; long values are cut here"
        ));
    }
    let needs = needs.filter(|name| lacks(name))?;
    Some(format!("a call `{call}` needs `{needs}`"))
}

/// Values of a message that is too long: where one is longer than this, its length takes its place.
const CUT_BYTES: usize = 1 << 10;

fn cut(fields: Map<String, Value>) -> Map<String, Value> {
    let short = |value: &Value| value.to_string().len() <= CUT_BYTES;
    let said = |value: &Value| json!(format!("({} bytes, cut)", value.to_string().len()));
    let fields = fields.into_iter().take(50).map(|(name, value)| {
        let value = match value {
            value if short(&value) => value,
            Value::Object(inner) => {
                let inner = inner.into_iter().take(20);
                let inner = inner.map(|(name, value)| match short(&value) {
                    true => (name, value),
                    false => (name, said(&value)),
                });
                Value::Object(inner.collect())
            }
            value => said(&value),
        };
        (name, value)
    });
    fields.collect()
}

/// The text of an object with further fields, which count instead of fields of the same names before them.
fn spliced(text: &str, added: &Map<String, Value>) -> String {
    let inside = text.trim_end().strip_suffix('}').unwrap_or(text).trim_end();
    let added = Value::Object(added.clone()).to_string();
    let comma = if inside.ends_with('{') { "" } else { "," };
    format!("{inside}{comma}{}", &added[1..])
}

/// The hash and the length of what a client sends again in the same way, without what changes each time.
fn hash_of(fields: &Map<String, Value>) -> (i64, usize) {
    let changes = ["sentAt", "receivedAt", "writeKey", "_metadata"];
    let said = fields
        .iter()
        .filter(|(name, _)| !changes.contains(&name.as_str()));
    let said: BTreeMap<&String, &Value> = said.collect();
    let said = serde_json::to_vec(&said).unwrap_or_default();
    (landing::hash(&said), said.len())
}

/// The client's id of a message. One without gets one that is the same when it comes again, if it says when it was.
fn id_of(fields: &Map<String, Value>, hash: i64, received_at: Timestamp) -> String {
    let given = match fields.get("messageId") {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let says_when = ["timestamp", "originalTimestamp"];
    let says_when = says_when
        .iter()
        .any(|name| fields.get(*name).is_some_and(|at| !at.is_null()));
    match given.len() {
        0 if says_when => format!("hub-{hash:016x}"),
        0 => format!("hub-{hash:016x}-{}", received_at.0),
        1..=ID_BYTES => given,
        _ => format!("hub-{:016x}", landing::hash(given.as_bytes())),
    }
}

/// When it happened by the hub's clock, and when the client said that it was; an error where that cannot be read.
fn times(
    fields: &Map<String, Value>,
    skew: Option<i64>,
    received_at: Timestamp,
) -> Result<Map<String, Value>, String> {
    let said = ["timestamp", "originalTimestamp"];
    let mut said = said
        .iter()
        .filter_map(|name| Some((*name, fields.get(*name)?)));
    let said = said.find(|(_, value)| !value.is_null());
    let mut times = Map::new();
    let Some((name, value)) = said else {
        times.insert("timestamp".to_owned(), json!(received_at.to_rfc3339()));
        return Ok(times);
    };
    let at = moment(value).ok_or_else(|| {
        format!(
            "its `{name}` is neither a time in RFC 3339, nor a date, nor (milli)seconds since 1970"
        )
    })?;
    let corrected = at.0.saturating_add(skew.unwrap_or(0));
    if skew.is_some() || corrected > received_at.0 {
        times.insert("originalTimestamp".to_owned(), value.clone());
    }
    let at = Timestamp(corrected.min(received_at.0));
    times.insert("timestamp".to_owned(), json!(at.to_rfc3339()));
    Ok(times)
}

/// A message's context with what the batch says of all of them; none where nothing is added or taken out.
fn context_of(
    fields: &Map<String, Value>,
    of_batch: Option<&Value>,
    about: &About<'_>,
) -> Option<Value> {
    let own = fields.get("context").and_then(Value::as_object).cloned();
    let mut context: Map<String, Value> = own.unwrap_or_default();
    for (name, value) in of_batch.and_then(Value::as_object).into_iter().flatten() {
        context.entry(name.clone()).or_insert(value.clone());
    }
    if about.has_privacy_signal {
        context.insert("gpc".to_owned(), json!(true));
    }
    let address = context.get("ip").and_then(Value::as_str);
    match (about.addresses, address.map(shortened)) {
        (Addresses::Cut, Some(Some(short))) => {
            context.insert("ip".to_owned(), json!(short));
        }
        (Addresses::Cut, Some(None)) | (Addresses::Drop, _) => {
            context.remove("ip");
        }
        _ => {}
    }
    (!context.is_empty() || fields.contains_key("context")).then_some(Value::Object(context))
}

/// An address without the part that names a machine.
fn shortened(text: &str) -> Option<String> {
    let short = match text.trim().parse().ok()? {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            IpAddr::from([a, b, c, 0, 0, 0, 0, 0])
        }
    };
    Some(short.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::*;

    const RECEIVED: &str = "2026-03-01T12:00:00.000Z";

    fn taken(body: &Value) -> Vec<Value> {
        let about = About {
            call: None,
            received_at: moment(&json!(RECEIVED)).unwrap(),
            has_privacy_signal: true,
            addresses: Addresses::Cut,
        };
        let parsed = parse(body.to_string().as_bytes(), true).unwrap();
        let records = records(parsed, &about).into_iter();
        records
            .map(|one| serde_json::from_slice(&one.body).unwrap())
            .collect()
    }

    fn when(sent_at: &str, timestamp: &str) -> (String, bool) {
        let message = json!({ "type": "track", "messageId": "1", "timestamp": timestamp });
        let one = &taken(&json!({ "batch": [message], "sentAt": sent_at }))[0];
        let at = moment(&one["timestamp"]).unwrap().to_rfc3339();
        (at, one.get("originalTimestamp").is_some())
    }

    #[test]
    fn s6_a_clock_is_corrected_where_it_is_wrong_and_not_where_a_request_was_slow() {
        let at = |text: &str| moment(&json!(text)).unwrap().to_rfc3339();
        // Thirty seconds on its way, clocks correct: what happened first stays first.
        let slow = when("2026-03-01T11:59:30Z", "2026-03-01T11:59:00Z");
        assert_eq!(slow, (at("2026-03-01T11:59:00Z"), false));
        // An hour behind, and ten minutes ahead.
        let behind = when("2026-03-01T11:00:00Z", "2026-03-01T10:59:00+00:00");
        assert_eq!(behind, (at("2026-03-01T11:59:00Z"), true));
        let ahead = when("2026-03-01T12:10:00Z", "2026-03-01T12:09:00Z");
        assert_eq!(ahead, (at("2026-03-01T11:59:00Z"), true));
        // What is said of the future happened now.
        let future = when("2026-03-01T12:00:00Z", "2031-01-01T00:00:00Z");
        assert_eq!(future, (at(RECEIVED), true));
    }

    #[test]
    fn a_time_in_another_form_is_read_and_one_that_cannot_be_read_is_no_guess() {
        let sent = |timestamp: Value| {
            let message = json!({ "type": "track", "messageId": "1", "timestamp": timestamp });
            taken(&json!({ "batch": [message] })).remove(0)
        };
        for form in [
            json!("2026-02-28"),
            json!(1_772_236_800_000_i64),
            json!(1_772_236_800),
        ] {
            assert_eq!(sent(form)["timestamp"], "2026-02-28T00:00:00.000Z");
        }
        let unread = sent(json!("yesterday"));
        assert_eq!(unread["timestamp"], "yesterday", "as it came");
        assert!(unread[REFUSED].as_str().unwrap().contains("`timestamp`"));
    }

    #[test]
    fn what_is_no_call_says_why_and_goes_to_no_call_s_stream() {
        for (message, why) in [
            (json!({ "type": "weird", "event": "E" }), "`type` is not"),
            (json!({ "event": "E" }), "no `type`"),
            (json!({ "type": "group", "userId": "u" }), "needs `groupId`"),
            (
                json!({ "type": "alias", "userId": "u" }),
                "needs `previousId`",
            ),
            (
                json!({ "type": "identify", "userId": "u", "traits": { "bio": "y".repeat(40_000), "plan": "pro" } }),
                "bytes",
            ),
        ] {
            let one = taken(&json!({ "batch": [message] })).remove(0);
            assert!(one[REFUSED].as_str().unwrap().contains(why), "{one}");
            assert!(one.to_string().len() < 4_000, "cut");
        }
    }

    #[test]
    fn addresses_are_cut_and_what_a_batch_says_is_said_of_each_message() {
        let message = json!({ "type": "track", "messageId": "1", "context": { "ip": "10.20.30.40", "locale": "pl" } });
        let other = json!({ "type": "track", "messageId": "2" });
        let context =
            json!({ "ip": "2001:db8:1:2:3::4", "locale": "de", "library": { "name": "a" } });
        let all = taken(&json!({ "batch": [message, other], "context": context }));
        let expected =
            json!({ "gpc": true, "ip": "10.20.30.0", "locale": "pl", "library": { "name": "a" } });
        assert_eq!(all[0]["context"], expected);
        assert_eq!(all[1]["context"]["ip"], "2001:db8:1::");
    }

    // S3
    #[test]
    fn a_message_without_an_id_has_the_same_one_when_it_comes_again() {
        let message = |at: Option<&str>, sent: &str| json!({ "type": "track", "event": "E", "userId": "u", "timestamp": at, "sentAt": sent });
        let id = |message: Value| {
            let mut message = message;
            let fields = message.as_object_mut().unwrap();
            fields.retain(|_, value| !value.is_null());
            taken(&json!({ "batch": [message] }))[0]["messageId"].clone()
        };
        let at = Some("2026-03-01T11:59:00Z");
        assert_eq!(id(message(at, "1")), id(message(at, "2")));
        assert_ne!(id(message(at, "1")), id(message(None, "1")));
    }
}
