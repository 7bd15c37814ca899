//! Audiences of accounts: which accounts are in them, since when and why, and when that changes by itself. What accounts ask
//! of their people is an audience of people, so that only its members are counted here.

mod properties;

use crate::audience::{self, Facts};
use crate::flow::commit::views::values_of;
use crate::flow::context::Context;
use crate::manifest::Audience;
use crate::model::{Fields, Timestamp};
use crate::store::{AccountLogRow, AccountMemberRow, AccountTimerRow, Result, Tx};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// What conditions ask about one account.
#[derive(Debug, Default)]
pub struct About {
    pub id: String,
    pub traits: Fields,
    /// By audience; all of its people under no name.
    pub people: BTreeMap<String, u64>,
    /// The audiences that it is in, and since when.
    audiences: BTreeMap<String, Timestamp>,
    /// Whether a record or a person names it.
    pub is_known: bool,
}

impl About {
    /// The accounts of these ids, in their order. Audiences of people that are not counted yet count nobody.
    pub async fn load(
        tx: &mut Tx,
        ids: &[String],
        counted: &BTreeSet<String>,
    ) -> Result<Vec<Self>> {
        let mut found: FxHashMap<String, Self> = FxHashMap::default();
        for row in tx.accounts(ids).await? {
            let traits = values_of(&row)?;
            let about = found.entry(row.id).or_default();
            about.traits = traits;
            about.is_known = true;
        }
        let counted: Vec<&str> = counted.iter().map(String::as_str).collect();
        for row in tx.count_people(ids, &counted).await? {
            let about = found.entry(row.account).or_default();
            let people = u64::try_from(row.people).unwrap_or_default();
            about.people.insert(row.audience, people);
            about.is_known = true;
        }
        for row in tx.account_memberships_of(ids).await? {
            let about = found.entry(row.account).or_default();
            about.audiences.insert(row.audience, Timestamp(row.since));
        }
        let abouts = ids.iter().map(|id| Self {
            id: id.clone(),
            ..found.remove(id).unwrap_or_default()
        });
        Ok(abouts.collect())
    }

    /// Sets since when it counts as a member of an audience; none when it does not.
    pub fn put(&mut self, audience: &str, since: Option<Timestamp>) {
        match since {
            Some(since) => self.audiences.insert(audience.to_owned(), since),
            None => self.audiences.remove(audience),
        };
    }

    pub fn ask<T>(&self, ask: impl FnOnce(&Facts<'_>) -> T) -> T {
        ask(&Facts {
            id: split_key(&self.id),
            traits: &|name| self.traits.get(name),
            granted: &|_| false,
            audiences: &|name| self.audiences.get(name).copied(),
            people: &|audience| {
                let count = self.people.get(audience.unwrap_or_default());
                count.copied().unwrap_or_default()
            },
            events: &[],
        })
    }
}

/// The value by which an account is split, as a person is by its id.
fn split_key(id: &str) -> [u8; 16] {
    let mut key = [0; 16];
    key.copy_from_slice(&blake3::hash(id.as_bytes()).as_bytes()[..16]);
    key
}

/// Evaluates the audiences at these indexes of the plan for some accounts, in that order, and stores what changed. Returns the
/// accounts that entered or left one. The log records `because` if given, or else the deciding condition.
pub async fn evaluate(
    tx: &mut Tx,
    context: &Context,
    indexes: &[usize],
    ids: &[String],
    because: Option<&str>,
) -> Result<Vec<String>> {
    let now = context.clock.now();
    let mut moves = Moves::default();
    let mut timers = Vec::new();
    for mut about in About::load(tx, ids, &context.counted).await? {
        for index in indexes {
            let audience = &context.plan.audiences[*index];
            timers.extend(judge(audience, &mut about, now, because, &mut moves));
        }
    }
    let moved = moves.save(tx).await?;
    let names: Vec<&str> = context.names(indexes).collect();
    tx.set_account_timers(&names, ids, &timers).await?;
    Ok(moved)
}

fn judge(
    audience: &Audience,
    about: &mut About,
    now: Timestamp,
    because: Option<&str>,
    moves: &mut Moves,
) -> Option<AccountTimerRow> {
    let name = &*audience.name;
    let who = &audience.who;
    let verdict = about.ask(|facts| audience::evaluate(who, facts, now));
    let holds = verdict.holds && about.is_known;
    if holds != about.audiences.contains_key(name) {
        let cause = match because {
            Some(because) => because.to_owned(),
            None if !about.is_known => "no record or person names the account any more".to_owned(),
            None => about.ask(|facts| audience::cause(who, facts, now)),
        };
        moves.add(name, &about.id, holds, cause, now);
        about.put(name, holds.then_some(now));
    }
    let due = verdict.changes_at.filter(|_| about.is_known)?;
    Some(AccountTimerRow {
        audience: name.to_owned(),
        account: about.id.clone(),
        due_at: due.0,
    })
}

/// Accounts that entered and left audiences.
#[derive(Default)]
struct Moves {
    entered: Vec<AccountMemberRow>,
    left: Vec<(String, String)>,
    log: Vec<AccountLogRow>,
}

impl Moves {
    fn add(&mut self, audience: &str, account: &str, entered: bool, cause: String, at: Timestamp) {
        if entered {
            self.entered.push(AccountMemberRow {
                audience: audience.to_owned(),
                account: account.to_owned(),
                since: at.0,
            });
        } else {
            self.left.push((audience.to_owned(), account.to_owned()));
        }
        self.log.push(AccountLogRow {
            id: 0,
            audience: audience.to_owned(),
            account: account.to_owned(),
            at: at.0,
            entered,
            cause,
        });
    }

    /// Returns the accounts that moved.
    async fn save(mut self, tx: &mut Tx) -> Result<Vec<String>> {
        let count = self.log.len() as i64;
        if count == 0 {
            return Ok(Vec::new());
        }
        let first = tx.reserve("account_membership_log", count).await?;
        for (row, id) in self.log.iter_mut().zip(first..) {
            row.id = id;
        }
        tx.remove_account_members(&self.left).await?;
        tx.add_account_members(&self.entered).await?;
        tx.add_account_log(&self.log).await?;
        let moved: BTreeSet<String> = self.log.into_iter().map(|row| row.account).collect();
        Ok(moved.into_iter().collect())
    }
}
