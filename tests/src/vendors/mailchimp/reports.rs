//! Reports on sent campaigns: what each recipient did with the mail, and who left because of it.

use serde_json::{Value, json};

use super::super::http::Request;
use super::super::time::{parse_rfc3339, rfc3339_offset};
use super::members::subscriber_hash;
use super::{Answer, Mailchimp, Refusal};

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Open,
    Click { url: String },
    Bounce { hard: bool },
}

#[derive(Clone, Debug)]
pub struct Activity {
    pub email: String,
    /// Milliseconds since 1970 and what was done, oldest first.
    pub actions: Vec<(i64, Action)>,
}

#[derive(Clone, Debug)]
pub struct Unsubscribed {
    pub email: String,
    pub at_ms: i64,
    pub reason: String,
}

#[derive(Clone, Debug)]
pub struct Campaign {
    pub id: String,
    pub title: String,
    pub sent_ms: i64,
    pub activity: Vec<Activity>,
    pub unsubscribed: Vec<Unsubscribed>,
}

impl Campaign {
    pub(super) fn forget(&mut self, hash: &str) {
        self.activity
            .retain(|activity| subscriber_hash(&activity.email) != hash);
        self.unsubscribed
            .retain(|row| subscriber_hash(&row.email) != hash);
    }
}

impl Mailchimp {
    pub(super) fn reports(&self, request: &Request, rest: &[&str]) -> Answer {
        let found = |id: &str| {
            self.campaigns
                .iter()
                .find(|campaign| campaign.id == id)
                .ok_or_else(Refusal::not_found)
        };
        match rest {
            [] => {
                let since = time(request, "since_send_time")?;
                let before = time(request, "before_send_time")?;
                let wanted = |campaign: &&Campaign| {
                    since.is_none_or(|since| campaign.sent_ms >= since)
                        && before.is_none_or(|before| campaign.sent_ms < before)
                };
                let all: Vec<Value> = self
                    .campaigns
                    .iter()
                    .filter(wanted)
                    .map(|campaign| self.report_body(campaign))
                    .collect();
                let total = all.len();
                Ok(json!({"reports": self.page(request, all)?, "total_items": total, "_links": []}))
            }
            [id] => Ok(self.report_body(found(id)?)),
            [id, "email-activity"] => self.email_activity(request, found(id)?),
            [id, "unsubscribed"] => self.unsubscribed(request, found(id)?),
            _ => Err(Refusal::not_found()),
        }
    }

    fn report_body(&self, campaign: &Campaign) -> Value {
        let count = |wanted: fn(&Action) -> bool| {
            let actions = campaign
                .activity
                .iter()
                .flat_map(|activity| &activity.actions);
            actions.filter(|(_, action)| wanted(action)).count()
        };
        json!({
            "id": campaign.id, "campaign_title": campaign.title, "type": "regular", "list_id": self.list_id,
            "list_is_active": true, "list_name": "Newsletter", "subject_line": campaign.title, "preview_text": "",
            "emails_sent": campaign.activity.len(), "abuse_reports": 0, "unsubscribed": campaign.unsubscribed.len(),
            "send_time": rfc3339_offset(campaign.sent_ms),
            "opens": {"opens_total": count(|action| *action == Action::Open)},
            "clicks": {"clicks_total": count(|action| matches!(action, Action::Click { .. }))},
            "_links": [],
        })
    }

    fn email_activity(&self, request: &Request, campaign: &Campaign) -> Answer {
        let since = time(request, "since")?;
        let mut rows = Vec::new();
        for activity in &campaign.activity {
            let after = activity
                .actions
                .iter()
                .filter(|(at, _)| since.is_none_or(|since| *at > since));
            let actions: Vec<Value> = after.map(|(at, action)| action_body(*at, action)).collect();
            if since.is_some() && actions.is_empty() {
                continue;
            }
            rows.push(json!({
                "campaign_id": campaign.id, "list_id": self.list_id, "list_is_active": true,
                "email_id": subscriber_hash(&activity.email), "email_address": activity.email, "activity": actions,
                "_links": [],
            }));
        }
        let total = rows.len();
        let page = self.page(request, rows)?;
        Ok(json!({"emails": page, "campaign_id": campaign.id, "total_items": total, "_links": []}))
    }

    fn unsubscribed(&self, request: &Request, campaign: &Campaign) -> Answer {
        let rows: Vec<Value> = campaign.unsubscribed.iter().map(|row| {
            json!({
                "email_id": subscriber_hash(&row.email), "email_address": row.email, "merge_fields": {}, "vip": false,
                "timestamp": rfc3339_offset(row.at_ms), "reason": row.reason, "campaign_id": campaign.id,
                "list_id": self.list_id, "list_is_active": true, "_links": [],
            })
        }).collect();
        let total = rows.len();
        let page = self.page(request, rows)?;
        Ok(
            json!({"unsubscribes": page, "campaign_id": campaign.id, "total_items": total, "_links": []}),
        )
    }
}

fn action_body(at_ms: i64, action: &Action) -> Value {
    let timestamp = rfc3339_offset(at_ms);
    match action {
        Action::Open => json!({"action": "open", "timestamp": timestamp, "ip": "198.51.100.7"}),
        Action::Click { url } => {
            json!({"action": "click", "timestamp": timestamp, "url": url, "ip": "198.51.100.7"})
        }
        Action::Bounce { hard } => {
            json!({"action": "bounce", "timestamp": timestamp, "type": if *hard { "hard" } else { "soft" }})
        }
    }
}

fn time(request: &Request, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(text) = request.query(name) else {
        return Ok(None);
    };
    let parsed = parse_rfc3339(text);
    parsed
        .map(Some)
        .ok_or_else(|| Refusal::field(name, "This value is not a valid datetime."))
}
