//! Who would be in an audience now, by definitions that may be a draft, over everything that is stored.
//!
//! What is stored as the plan has it is read, everything else is computed: conditions on people are expanded in the
//! query, and accounts are evaluated one by one with the people who would be counted.

use crate::audience::{self, Part, depends_on};
use crate::expression::Condition;
use crate::flow::ask::account::AccountHead;
use crate::flow::commit::account_audiences::About;
use crate::flow::context::Context;
use crate::manifest::{Audience, Plan, Subject};
use crate::model::Timestamp;
use crate::store::{Arg, PersonRow, Result, Tx};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// People that one query looks at.
const PEOPLE: i64 = 20_000;
/// Accounts that are in memory at once.
const ACCOUNTS: i64 = 5_000;

/// Who would be in an audience now.
#[derive(Debug)]
pub struct Preview {
    pub size: usize,
    pub sample: Sample,
    /// Other audiences of the same kind with their sizes and how many are in both, the largest overlap first.
    pub overlap: Vec<Overlap>,
}

/// Some of the members.
#[derive(Debug)]
pub enum Sample {
    People(Vec<PersonRow>),
    Accounts(Vec<AccountHead>),
}

#[derive(Debug, Serialize)]
pub struct Overlap {
    pub audience: String,
    pub size: usize,
    pub both: usize,
}

/// Evaluates an audience of `plan`, which may be a draft, over everybody who is stored. `with` names one other audience to
/// compare it with; by default all others of its kind are compared.
pub async fn preview(
    context: &Context,
    plan: &Plan,
    audience: &Audience,
    with: Option<&str>,
    sample: usize,
) -> Result<Preview> {
    let mut tx = context.store.read().await?;
    let others: Vec<&Audience> = plan
        .audiences
        .iter()
        .filter(|other| match with {
            Some(name) => *other.name == *name,
            None => other.name != audience.name && !other.is_step,
        })
        .filter(|other| other.of == audience.of)
        .collect();
    let now = context.clock.now();
    let mut drafts = Drafts::load(&mut tx, plan, now).await?;
    let wanted: Vec<&Audience> = others.iter().copied().chain([audience]).collect();
    drafts.work_out_accounts(&mut tx, &wanted).await?;
    match audience.of {
        Subject::Person => {
            // By its definition, though it may be stored.
            let ids = drafts.holding(&mut tx, &audience.who).await?;
            let mut overlap = Vec::new();
            for other in others {
                let members = drafts.people(&mut tx, other).await?;
                overlap.push(Overlap::of(other, &ids, &members));
            }
            let mut rows = tx.persons(ids.iter().copied().take(sample)).await?;
            rows.sort_unstable_by_key(|row| row.id);
            Ok(Preview::new(ids.len(), Sample::People(rows), overlap))
        }
        Subject::Account => {
            let ids = drafts.work_out(&mut tx, audience).await?;
            let mut overlap = Vec::new();
            for other in others {
                let members = drafts.accounts(&mut tx, other).await?;
                overlap.push(Overlap::of(other, &ids, &members));
            }
            let few: Vec<String> = ids.iter().take(sample).cloned().collect();
            let heads = About::load(&mut tx, &few, &BTreeSet::new()).await?;
            let heads = heads.into_iter().map(About::head).collect();
            Ok(Preview::new(ids.len(), Sample::Accounts(heads), overlap))
        }
    }
}

impl Preview {
    fn new(size: usize, sample: Sample, mut overlap: Vec<Overlap>) -> Self {
        overlap.sort_by_key(|one| std::cmp::Reverse(one.both));
        Self {
            size,
            sample,
            overlap,
        }
    }
}

impl Overlap {
    /// Of two ascending lists.
    fn of<T: Ord>(other: &Audience, ids: &[T], members: &[T]) -> Self {
        let (few, many) = match ids.len() < members.len() {
            true => (ids, members),
            false => (members, ids),
        };
        let both = few.iter().filter(|id| many.binary_search(id).is_ok());
        Self {
            audience: other.name.to_string(),
            size: members.len(),
            both: both.count(),
        }
    }
}

/// Audiences as a plan has them, some of which are not stored like that.
struct Drafts<'p> {
    plan: &'p Plan,
    now: Timestamp,
    /// Audiences that are not stored as the plan has them, or refer to one that is not.
    stale: BTreeSet<&'p str>,
    /// The members of stale audiences of accounts, ascending.
    accounts: BTreeMap<&'p str, Vec<String>>,
}

impl<'p> Drafts<'p> {
    async fn load(tx: &mut Tx, plan: &'p Plan, now: Timestamp) -> Result<Self> {
        let stored: BTreeMap<String, String> = tx.audiences().await?.into_iter().collect();
        let mut stale = BTreeSet::new();
        for index in audience::order(&plan.audiences) {
            let audience = &plan.audiences[index];
            let is_same = stored.get(&*audience.name) == Some(&audience.digest);
            if !is_same
                || depends_on(&audience.who)
                    .iter()
                    .any(|name| stale.contains(name))
            {
                stale.insert(&*audience.name);
            }
        }
        Ok(Self {
            plan,
            now,
            stale,
            accounts: BTreeMap::new(),
        })
    }

    fn find(&self, name: &str) -> Option<&'p Audience> {
        self.plan.audiences.iter().find(|one| *one.name == *name)
    }

    /// Computes every stale audience of accounts that these need, audiences that others refer to first.
    async fn work_out_accounts(&mut self, tx: &mut Tx, wanted: &[&'p Audience]) -> Result<()> {
        let mut needed: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&Audience> = wanted.to_vec();
        while let Some(audience) = open.pop() {
            if self.stale.contains(&*audience.name) && needed.insert(&audience.name) {
                let names = depends_on(&audience.who).into_iter();
                open.extend(names.filter_map(|name| self.find(name)));
            }
        }
        for index in audience::order(&self.plan.audiences) {
            let audience = &self.plan.audiences[index];
            if audience.of == Subject::Account && needed.contains(&*audience.name) {
                let ids = self.work_out(tx, audience).await?;
                self.accounts.insert(&audience.name, ids);
            }
        }
        Ok(())
    }

    /// The accounts that meet an audience's definition, ascending. Stale audiences of accounts that it refers to must be
    /// computed already.
    async fn work_out(&self, tx: &mut Tx, audience: &Audience) -> Result<Vec<String>> {
        let (mut stored, mut counted) = (BTreeSet::new(), BTreeMap::new());
        for name in depends_on(&audience.who) {
            let Some(found) = self.find(name).filter(|one| one.of == Subject::Person) else {
                continue;
            };
            if self.stale.contains(name) {
                counted.insert(name, self.people(tx, found).await?);
            } else {
                stored.insert(name.to_owned());
            }
        }
        let mut ids = Vec::new();
        let mut after = String::new();
        loop {
            let rows = tx.accounts_after(&after, ACCOUNTS).await?;
            let part: Vec<String> = rows.into_iter().map(|(row, _)| row.id).collect();
            let Some(last) = part.last() else {
                return Ok(ids);
            };
            after.clone_from(last);
            let mut abouts = About::load(tx, &part, &stored).await?;
            for (name, members) in &counted {
                count(tx, &part, &mut abouts, name, members).await?;
            }
            for about in &mut abouts {
                for (name, members) in &self.accounts {
                    let is_in = members.binary_search(&about.id).is_ok();
                    about.put(name, is_in.then_some(self.now));
                }
                let ask = |facts: &audience::Facts<'_>| {
                    audience::evaluate(&audience.who, facts, self.now)
                };
                if about.ask(ask).holds {
                    ids.push(about.id.clone());
                }
            }
        }
    }

    /// The members of an audience of accounts, ascending.
    async fn accounts(&self, tx: &mut Tx, audience: &Audience) -> Result<Vec<String>> {
        match self.accounts.get(&*audience.name) {
            Some(ids) => Ok(ids.clone()),
            None => {
                let rows = tx.account_members(&audience.name).await?;
                Ok(rows.into_iter().map(|row| row.account).collect())
            }
        }
    }

    /// The members of an audience of people, ascending.
    async fn people(&self, tx: &mut Tx, audience: &Audience) -> Result<Vec<i64>> {
        if self.stale.contains(&*audience.name) {
            return self.holding(tx, &audience.who).await;
        }
        let members = tx.members(&audience.name).await?;
        Ok(members.iter().map(|row| row.person_id).collect())
    }

    async fn holding(&self, tx: &mut Tx, who: &Condition) -> Result<Vec<i64>> {
        let who = self.inlined(who);
        let drafted = serde_json::json!(self.accounts).to_string();
        let drafted = (!self.accounts.is_empty()).then_some(drafted);
        holding_in(tx, &who, self.now, drafted).await
    }

    /// The condition with stale audiences of people replaced by their definitions. Nobody counts as a member of one for any
    /// length of time.
    fn inlined(&self, condition: &Condition) -> Condition {
        let parts = |parts: &[Condition]| -> Vec<Condition> {
            parts.iter().map(|part| self.inlined(part)).collect()
        };
        match condition {
            Condition::All(all) => Condition::All(parts(all)),
            Condition::Any(any) => Condition::Any(parts(any)),
            Condition::Not(part) => self.inlined(part).negated(),
            Condition::Audience { name, lasting } if self.stale.contains(name.as_str()) => {
                match self.find(name) {
                    Some(found) if *lasting == 0 => self.inlined(&found.who),
                    _ => Condition::Any(Vec::new()),
                }
            }
            leaf => leaf.clone(),
        }
    }
}

/// How many of each account's people are among `members`, which are ascending.
async fn count(
    tx: &mut Tx,
    accounts: &[String],
    abouts: &mut [About],
    name: &str,
    members: &[i64],
) -> Result<()> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for row in tx.relations_to(accounts).await? {
        if members.binary_search(&row.person_id).is_ok() {
            *counts.entry(row.account).or_default() += 1;
        }
    }
    for about in abouts {
        let count = counts.get(&about.id).copied().unwrap_or_default();
        about.people.insert(name.to_owned(), count);
    }
    Ok(())
}

/// Everybody for whom a condition holds by what is stored, ascending.
pub async fn holding(tx: &mut Tx, who: &Condition, now: Timestamp) -> Result<Vec<i64>> {
    holding_in(tx, who, now, None).await
}

/// `drafted`: by name, the members of audiences of accounts that are used instead of the stored ones, as JSON.
async fn holding_in(
    tx: &mut Tx,
    who: &Condition,
    now: Timestamp,
    drafted: Option<String>,
) -> Result<Vec<i64>> {
    let mut ids = Vec::new();
    let mut after = i64::MIN;
    while let Some(last) = tx.last_person(after, PEOPLE).await? {
        let part = Part { after, last };
        let query = match &drafted {
            Some(members) => {
                audience::sql_drafted(who, now, part, &audience::SQLITE, members.clone())
            }
            None => audience::sql(who, now, part, &audience::SQLITE),
        };
        ids.extend(tx.select_persons(&query.text, &args(&query)).await?);
        after = last;
    }
    Ok(ids)
}

/// A query's values as the store takes them.
fn args(query: &audience::Query) -> Vec<Arg<'_>> {
    query
        .binds
        .iter()
        .map(|bind| match bind {
            audience::Bind::Text(text) => Arg::Text(text),
            audience::Bind::Integer(number) => Arg::Int(*number),
            audience::Bind::Real(number) => Arg::Real(*number),
        })
        .collect()
}
