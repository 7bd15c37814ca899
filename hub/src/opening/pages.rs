//! Members of audiences and their changes, a page at a time.

use super::Opened;
use super::overview::Member;
use crate::flow::traits_of;
use crate::manifest::{Audience, Subject};
use crate::model::Shown;
use crate::store::Result;
use serde::Serialize;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Members of an audience, in an order that does not change while they are read.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct MembersPage {
    pub audience: String,
    /// Of the whole audience.
    pub size: i64,
    pub members: Vec<Member>,
    /// What the next page comes after; none on the last one.
    pub next: Option<String>,
}

/// What happened to an audience, in the order in which it happened.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ChangesPage {
    pub audience: String,
    pub changes: Vec<MemberChange>,
    /// The last change that is known: what comes next comes after it.
    pub next: i64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct MemberChange {
    pub number: i64,
    /// Of the person or account.
    pub id: String,
    pub at: Shown,
    /// Otherwise it left.
    pub entered: bool,
    pub cause: String,
}

impl Opened {
    /// Up to `limit` members after what an earlier page says as `next`; none where that is something else.
    pub async fn members_page(
        &self,
        audience: &Audience,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Option<MembersPage>> {
        let name = &*audience.name;
        let mut tx = self.context.store.read().await?;
        let size = tx.member_count(audience.of, name).await?;
        let mut page = MembersPage {
            audience: name.to_owned(),
            size,
            members: Vec::new(),
            next: None,
        };
        let wanted = usize::try_from(limit).unwrap_or_default();
        if audience.of == Subject::Account {
            let after = after.unwrap_or_default();
            let mut rows = tx.account_members_after(name, after, limit + 1).await?;
            let has_more = rows.len() > wanted;
            rows.truncate(wanted);
            page.next = rows
                .last()
                .filter(|_| has_more)
                .map(|row| row.account.clone());
            page.members.extend(rows.into_iter().map(|row| Member {
                id: row.account,
                email: None,
                since: Some(Shown::of(row.since)),
            }));
            return Ok(Some(page));
        }
        let Ok(after) = after.map_or(Ok(0), str::parse) else {
            return Ok(None);
        };
        let mut rows = tx.members_after(name, after, limit + 1).await?;
        let has_more = rows.len() > wanted;
        rows.truncate(wanted);
        page.next = rows
            .last()
            .filter(|_| has_more)
            .map(|row| row.person_id.to_string());
        let persons = tx.persons(rows.iter().map(|row| row.person_id)).await?;
        let persons: BTreeMap<i64, _> = persons.iter().map(|one| (one.id, one)).collect();
        for row in rows {
            let Some(person) = persons.get(&row.person_id) else {
                continue;
            };
            let traits = traits_of(person)?;
            let email = traits.get("email").and_then(|value| value.as_str());
            page.members.push(Member {
                id: Uuid::from_bytes(person.uuid).to_string(),
                email: Some(email.unwrap_or_default().to_owned()),
                since: Some(Shown::of(row.since)),
            });
        }
        Ok(Some(page))
    }

    /// Up to `limit` changes after the number `after`.
    pub async fn changes_page(
        &self,
        audience: &Audience,
        after: i64,
        limit: i64,
    ) -> Result<ChangesPage> {
        let name = &*audience.name;
        let mut tx = self.context.store.read().await?;
        let changes: Vec<MemberChange> = match audience.of {
            Subject::Person => {
                let rows = tx.log_of(name, after, limit).await?.into_iter();
                let rows = rows.map(|row| MemberChange {
                    number: row.id,
                    id: Uuid::from_bytes(row.person).to_string(),
                    at: Shown::of(row.at),
                    entered: row.entered,
                    cause: row.cause,
                });
                rows.collect()
            }
            Subject::Account => {
                let rows = tx.account_log_of(name, after, limit).await?.into_iter();
                let rows = rows.map(|row| MemberChange {
                    number: row.id,
                    id: row.account,
                    at: Shown::of(row.at),
                    entered: row.entered,
                    cause: row.cause,
                });
                rows.collect()
            }
        };
        Ok(ChangesPage {
            audience: name.to_owned(),
            next: changes.last().map_or(after, |last| last.number),
            changes,
        })
    }
}
