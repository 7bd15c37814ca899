//! The users of the fake HubSpot to whom records are assigned.

use serde_json::{Value, json};

use super::super::http::{Reply, Request};
use super::super::time::rfc3339_ms;
use super::{Answer, HubSpot, limit_of};

pub struct Owner {
    pub id: u64,
    pub email: &'static str,
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub archived: bool,
}

impl Owner {
    fn body(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "email": self.email,
            "type": "PERSON",
            "firstName": self.first_name,
            "lastName": self.last_name,
            "userId": if self.archived { Value::Null } else { json!(self.id + 1_000) },
            "userIdIncludingInactive": self.id + 1_000,
            "createdAt": rfc3339_ms(self.created_ms),
            "updatedAt": rfc3339_ms(self.updated_ms),
            "archived": self.archived,
        })
    }
}

pub(super) fn list(hub: &HubSpot, request: &Request) -> Answer {
    let limit = limit_of(request.query("limit"), 100, 500)?;
    let archived = request.query("archived") == Some("true");
    let after: usize = request
        .query("after")
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    let found = hub.owners.iter().filter(|owner| owner.archived == archived);
    let mut rows: Vec<Value> = found.skip(after).take(limit + 1).map(Owner::body).collect();
    let more = rows.len() > limit;
    rows.truncate(limit);
    let mut body = json!({"results": rows});
    if more {
        let next = (after + limit).to_string();
        body["paging"] = json!({"next": {"after": next, "link": format!("?after={next}")}});
    }
    Ok(Reply::json(200, &body))
}
