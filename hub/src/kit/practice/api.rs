//! The rules of the help desk's API: who may, what a request must look like, what it is answered. What is not part of the
//! API is refused, so that a connector learns of its mistakes here.

use super::desk::{Desk, Listed, Position, Wanted, Written, quoted};
use super::{READ_ONLY_TOKEN, TOKEN};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::{Map, Value};

/// Most rows of one request that writes or looks up.
const MOST_ROWS: usize = 100;
const TAGS_A_PAGE: usize = 20;

/// A request as far as the API looks at it.
pub struct Call {
    pub method: String,
    pub path: String,
    pub query: String,
    pub authorization: Option<String>,
    pub content_type: Option<String>,
    pub idempotency_key: Option<String>,
    pub body: Bytes,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    fn ok(body: String) -> Self {
        Self { status: 200, body }
    }

    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            body: format!(
                r#"{{"error":{{"code":"{code}","message":{}}}}}"#,
                quoted(message)
            ),
        }
    }
}

fn invalid(message: &str) -> Answer {
    Answer::error(400, "invalid_request", message)
}

type Reply = Result<Answer, Answer>;

pub fn answer(desk: &mut Desk, call: &Call) -> Answer {
    route(desk, call).unwrap_or_else(|refused| refused)
}

fn route(desk: &mut Desk, call: &Call) -> Reply {
    let token = call.authorization.as_deref();
    let token = token.and_then(|value| value.strip_prefix("Bearer "));
    let may_write = match token {
        Some(TOKEN) => true,
        Some(READ_ONLY_TOKEN) => false,
        _ => {
            let message = "send `Authorization: Bearer TOKEN` with a token that is known";
            return Err(Answer::error(401, "unauthorized", message));
        }
    };
    let segments: Vec<&str> = call.path.trim_start_matches('/').split('/').collect();
    match (call.method.as_str(), segments.as_slice()) {
        ("GET", ["v1", "me"]) => me(call, may_write),
        ("GET", ["v1", "contacts"]) => list(desk, call, "contacts"),
        ("GET", ["v1", "tickets"]) => list(desk, call, "tickets"),
        ("GET", ["v1", "tags"]) => tags(desk, call),
        ("POST", ["v1", "contacts", "lookup"]) => lookup(desk, call),
        ("POST", ["v1", "contacts", "upsert"]) if may_write => upsert(desk, call),
        ("POST", ["v1", "contacts", "erase"]) if may_write => erase(desk, call),
        ("POST", ["v1", "tags"]) if may_write => make_tag(desk, call),
        ("POST", ["v1", "tags", id, "members"]) if may_write => members(desk, call, id),
        ("POST", ["v1", "contacts", "upsert" | "erase"] | ["v1", "tags", ..]) => {
            let message = "the token lacks the scope `write`";
            Err(Answer::error(403, "forbidden", message))
        }
        _ => {
            let message = format!("there is no `{} {}`", call.method, call.path);
            Err(Answer::error(404, "not_found", &message))
        }
    }
}

fn me(call: &Call, may_write: bool) -> Reply {
    parameters(call, &[])?;
    let scopes = match may_write {
        true => r#"["read","write"]"#,
        false => r#"["read"]"#,
    };
    Ok(Answer::ok(format!(
        r#"{{"account":"practice","scopes":{scopes}}}"#
    )))
}

/// Query parameters by the names that the request may have, each once.
fn parameters<const N: usize>(
    call: &Call,
    known: &[&str; N],
) -> Result<[Option<String>; N], Answer> {
    let mut found = [const { None }; N];
    for (name, value) in url::form_urlencoded::parse(call.query.as_bytes()) {
        let Some(index) = known.iter().position(|one| *one == name) else {
            return Err(invalid(&format!("unknown query parameter `{name}`")));
        };
        if found[index].replace(value.into_owned()).is_some() {
            return Err(invalid(&format!("`{name}` is given twice")));
        }
    }
    Ok(found)
}

fn list(desk: &Desk, call: &Call, what: &str) -> Reply {
    let [limit, after] = parameters(call, &["limit", "after"])?;
    let limit = match limit.as_deref().map(str::parse::<usize>) {
        None => 50,
        Some(Ok(limit @ 1..=200)) => limit,
        Some(_) => return Err(invalid("`limit` is a number from 1 to 200")),
    };
    let after = match after {
        None => (i64::MIN, 0),
        Some(token) => position_of(desk.seed, what, &token).ok_or_else(|| {
            let message = "the cursor in `after` is no longer known; begin without it";
            Answer::error(410, "cursor_expired", message)
        })?,
    };
    let listed: &Listed = match what {
        "contacts" => &desk.contacts,
        _ => &desk.tickets,
    };
    let (rows, position, more) = listed.page(after, limit);
    let next = token_of(desk.seed, what, position);
    Ok(Answer::ok(format!(
        r#"{{"{what}":[{}],"next":"{next}","more":{more}}}"#,
        rows.join(",")
    )))
}

fn token_of(seed: u64, what: &str, (at, id): Position) -> String {
    URL_SAFE_NO_PAD.encode(format!("{seed}/{what}/{at}/{id}"))
}

fn position_of(seed: u64, what: &str, token: &str) -> Option<Position> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let position = text.strip_prefix(&format!("{seed}/{what}/"))?;
    let (at, id) = position.split_once('/')?;
    Some((at.parse().ok()?, id.parse().ok()?))
}

/// The body as an object of nothing but these members.
fn body(call: &Call, known: &[&str]) -> Result<Map<String, Value>, Answer> {
    parameters(call, &[])?;
    let kind = call.content_type.as_deref().unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        let message = "a body is sent with `content-type: application/json`";
        return Err(Answer::error(415, "unsupported_media_type", message));
    }
    match serde_json::from_slice(&call.body) {
        Ok(Value::Object(members)) => {
            only(&members, known)?;
            Ok(members)
        }
        Ok(_) => Err(invalid("the body is not a JSON object")),
        Err(error) => Err(invalid(&format!("the body is not JSON: {error}"))),
    }
}

fn only(members: &Map<String, Value>, known: &[&str]) -> Result<(), Answer> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(invalid(&format!("unknown field `{name}`"))),
    }
}

/// A list of one to a hundred.
fn rows(members: &mut Map<String, Value>, name: &str) -> Result<Vec<Value>, Answer> {
    match members.remove(name) {
        Some(Value::Array(rows)) if rows.is_empty() => Err(Answer::error(
            422,
            "invalid_rows",
            &format!("`{name}` is empty"),
        )),
        Some(Value::Array(rows)) if rows.len() > MOST_ROWS => Err(Answer::error(
            413,
            "too_many_rows",
            &format!("`{name}` has {} rows; {MOST_ROWS} are allowed", rows.len()),
        )),
        Some(Value::Array(rows)) => Ok(rows),
        _ => Err(invalid(&format!("`{name}` is a list"))),
    }
}

fn text(value: Value, name: &str) -> Result<String, Answer> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(invalid(&format!("`{name}` is a text"))),
    }
}

fn upsert(desk: &mut Desk, call: &Call) -> Reply {
    let mut members = body(call, &["contacts"])?;
    if let Some(key) = &call.idempotency_key {
        if key.is_empty() || key.len() > 255 {
            return Err(invalid("`Idempotency-Key` has 1 to 255 characters"));
        }
        match desk.answered.get(key) {
            Some((body, before)) if *body == call.body => return Ok(Answer::ok(before.clone())),
            Some(_) => {
                let message = "the same `Idempotency-Key` came with another body";
                return Err(Answer::error(422, "idempotency_mismatch", message));
            }
            None => {}
        }
    }
    let rows = rows(&mut members, "contacts")?;
    let wanted: Vec<_> = rows.into_iter().map(wanted).collect::<Result<_, _>>()?;
    let results: Vec<String> = wanted
        .into_iter()
        .map(|row| match row {
            Ok(row) => match desk.upsert(row) {
                Written::Created(id) => format!(r#"{{"status":"created","id":{id}}}"#),
                Written::Updated(id) => format!(r#"{{"status":"updated","id":{id}}}"#),
                Written::Unchanged(id) => format!(r#"{{"status":"unchanged","id":{id}}}"#),
            },
            Err((code, message)) => failed(code, message),
        })
        .collect();
    let text = results_text(&results);
    if let Some(key) = &call.idempotency_key {
        let before = (call.body.to_vec(), text.clone());
        desk.answered.insert(key.clone(), before);
    }
    Ok(Answer::ok(text))
}

fn results_text(results: &[String]) -> String {
    format!(r#"{{"results":[{}]}}"#, results.join(","))
}

fn failed(code: &str, message: &str) -> String {
    format!(
        r#"{{"status":"error","code":"{code}","message":{}}}"#,
        quoted(message)
    )
}

type Row = Result<Wanted, (&'static str, &'static str)>;

/// What is not a row at all refuses the request; what is wrong in a row is that row's error.
fn wanted(row: Value) -> Result<Row, Answer> {
    let Value::Object(mut row) = row else {
        return Err(invalid("a contact is an object"));
    };
    only(&row, &["email", "name", "phone", "plan"])?;
    let email = match row.remove("email") {
        Some(Value::String(email)) if is_email(&email) => email,
        _ => {
            return Ok(Err((
                "invalid_email",
                "`email` is not a valid e-mail address",
            )));
        }
    };
    let name = match row.remove("name") {
        None => None,
        Some(Value::Null) => Some(String::new()),
        Some(Value::String(name)) if name.chars().count() <= 200 => Some(name),
        Some(_) => {
            let message = "`name` is a text of at most 200 characters";
            return Ok(Err(("invalid_name", message)));
        }
    };
    let phone = match row.remove("phone") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(Value::String(phone)) if is_phone(&phone) => Some(Some(phone)),
        Some(_) => {
            return Ok(Err((
                "invalid_phone",
                "`phone` is not a valid telephone number",
            )));
        }
    };
    let plan = match row.remove("plan") {
        None => None,
        Some(Value::Null) => Some("free".to_owned()),
        Some(Value::String(plan)) if plan == "free" || plan == "pro" => Some(plan),
        Some(_) => return Ok(Err(("invalid_plan", "`plan` is `free` or `pro`"))),
    };
    Ok(Ok(Wanted {
        email,
        name,
        phone,
        plan,
    }))
}

fn is_email(text: &str) -> bool {
    let is_plain = !text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || matches!(c, ',' | '<' | '>'));
    let parts: Vec<&str> = text.split('@').collect();
    is_plain
        && text.len() <= 254
        && parts.len() == 2
        && !parts[0].is_empty()
        && parts[1].contains('.')
        && parts[1].split('.').all(|label| !label.is_empty())
}

fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let is_plain = text
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, ' ' | '+' | '-' | '(' | ')' | '.' | '/'));
    is_plain && (5..=20).contains(&digits)
}

fn lookup(desk: &Desk, call: &Call) -> Reply {
    let mut members = body(call, &["emails"])?;
    let mut found: Vec<u64> = Vec::new();
    for email in rows(&mut members, "emails")? {
        let id = desk.find(&text(email, "emails")?);
        found.extend(id.filter(|id| !found.contains(id)));
    }
    let texts: Vec<&str> = found
        .into_iter()
        .filter_map(|id| desk.contacts.text(id))
        .collect();
    Ok(Answer::ok(format!(
        r#"{{"contacts":[{}]}}"#,
        texts.join(",")
    )))
}

fn erase(desk: &mut Desk, call: &Call) -> Reply {
    let mut members = body(call, &["email"])?;
    let email = text(members.remove("email").unwrap_or_default(), "email")?;
    match desk.erase(&email) {
        true => Ok(Answer::ok(r#"{"erased":1}"#.to_owned())),
        false => Err(Answer::error(404, "not_found", "there is no such contact")),
    }
}

fn tag_text(desk: &Desk, index: usize) -> String {
    let tag = &desk.tags[index];
    format!(
        r#"{{"id":"t{}","name":{},"size":{}}}"#,
        index + 1,
        quoted(&tag.name),
        tag.members.len()
    )
}

fn tag_index(desk: &Desk, id: &str) -> Option<usize> {
    let number: usize = id.strip_prefix('t')?.parse().ok()?;
    (1..=desk.tags.len()).contains(&number).then(|| number - 1)
}

fn tags(desk: &Desk, call: &Call) -> Reply {
    let [after] = parameters(call, &["after"])?;
    let first = match after {
        None => 0,
        Some(id) => match tag_index(desk, &id) {
            Some(index) => index + 1,
            None => return Err(invalid("`after` is not a tag's id")),
        },
    };
    let end = desk.tags.len().min(first + TAGS_A_PAGE);
    let texts: Vec<String> = (first..end).map(|index| tag_text(desk, index)).collect();
    let next = match end < desk.tags.len() {
        true => format!("\"t{end}\""),
        false => "null".to_owned(),
    };
    Ok(Answer::ok(format!(
        r#"{{"tags":[{}],"next":{next}}}"#,
        texts.join(",")
    )))
}

fn make_tag(desk: &mut Desk, call: &Call) -> Reply {
    let mut members = body(call, &["name"])?;
    let name = text(members.remove("name").unwrap_or_default(), "name")?;
    if name.trim().is_empty() || name.chars().count() > 100 {
        let message = "`name` has 1 to 100 characters";
        return Err(Answer::error(422, "invalid_name", message));
    }
    let (index, is_new) = desk.tag(&name);
    Ok(Answer {
        status: if is_new { 201 } else { 200 },
        body: tag_text(desk, index),
    })
}

fn members(desk: &mut Desk, call: &Call, id: &str) -> Reply {
    let mut members = body(call, &["add", "remove"])?;
    let adds = members.contains_key("add");
    if members.len() != 1 {
        return Err(invalid("say `add` or `remove`"));
    }
    let emails = rows(&mut members, if adds { "add" } else { "remove" })?;
    let emails: Vec<String> = emails
        .into_iter()
        .map(|email| text(email, "an e-mail"))
        .collect::<Result<_, _>>()?;
    let Some(index) = tag_index(desk, id) else {
        return Err(Answer::error(404, "not_found", "there is no such tag"));
    };
    let mut results = Vec::new();
    for email in emails {
        let contact = match desk.find(&email) {
            None if adds && desk.new_members && is_email(&email) => Some(desk.contact(email)),
            found => found,
        };
        let inside = &mut desk.tags[index].members;
        let status = match (adds, contact) {
            (true, None) => {
                results.push(failed("unknown_contact", "there is no such contact"));
                continue;
            }
            (true, Some(id)) if inside.insert(id) => "added",
            (true, Some(_)) => "already",
            (false, Some(id)) if inside.remove(&id) => "removed",
            (false, _) => "absent",
        };
        results.push(format!(r#"{{"status":"{status}"}}"#));
    }
    Ok(Answer::ok(results_text(&results)))
}
