//! When the rules of survivorship changed: every profile and every account is rebuilt from its stored claims. Only what differs
//! is written and evaluated (I2).

use crate::flow::commit::claim::{claim_of, traits_of};
use crate::flow::commit::ripple::look;
use crate::flow::commit::touched::Ripple;
use crate::flow::commit::view::View;
use crate::flow::commit::views::views;
use crate::flow::commit::{accounts, settle};
use crate::flow::context::{Context, UNFINISHED};
use crate::flow::stored_json::to_json;
use crate::profile::Claim;
use crate::store::{PersonRow, Result, Tx};
use rustc_hash::FxHashMap;

/// People or accounts that one transaction takes.
const BATCH: i64 = 5_000;
/// The hub's value that holds the digest of the rules by which everything was last built.
const DIGEST: &str = "survivorship";

fn digest(context: &Context) -> String {
    let rules = format!("{:?}", context.plan.survivorship);
    blake3::hash(rules.as_bytes()).to_hex()[..32].to_owned()
}

/// Marks the stored rules as unfinished before a profile is built by new ones, so that reverting an edit half-way still rebuilds
/// everything. False when everything follows the rules of the plan.
pub async fn announce(context: &Context) -> Result<bool> {
    let known = context.store.read().await?.hub_value(DIGEST).await?;
    if known.as_ref() == Some(&digest(context)) {
        return Ok(false);
    }
    if known.as_deref() != Some(UNFINISHED) {
        let mut tx = context.begin().await?;
        tx.set_hub_value(DIGEST, UNFINISHED).await?;
        tx.commit().await?;
    }
    Ok(true)
}

/// Rebuilds everything if the rules changed. Returns how many profiles and accounts changed. Stopped half-way, it begins again
/// at the next run (I9).
pub async fn rebuild(context: &Context) -> Result<usize> {
    if !announce(context).await? {
        return Ok(0);
    }
    let mut changed = rebuild_accounts(context).await?;
    let mut after = 0;
    loop {
        let mut tx = context.begin().await?;
        let rows = tx.persons_after(after, BATCH).await?;
        let Some(last) = rows.last() else {
            tx.set_hub_value(DIGEST, &digest(context)).await?;
            tx.commit().await?;
            return Ok(changed);
        };
        after = last.id;
        changed += rebuild_people(&mut tx, context, rows).await?;
        tx.commit().await?;
    }
}

async fn rebuild_accounts(context: &Context) -> Result<usize> {
    let mut changed = 0;
    let mut after = String::new();
    loop {
        let mut tx = context.begin().await?;
        let rows = tx.accounts_after(&after, BATCH).await?;
        let ids: Vec<String> = rows.into_iter().map(|(row, _)| row.id).collect();
        let Some(last) = ids.last() else {
            return Ok(changed);
        };
        after.clone_from(last);
        changed += refresh(&mut tx, context, ids).await?;
        tx.commit().await?;
    }
}

async fn refresh(tx: &mut Tx, context: &Context, ids: Vec<String>) -> Result<usize> {
    let changed = accounts::rebuild(tx, context, ids).await?;
    let count = changed.len();
    let mut ripple = Ripple::default();
    look(tx, context, changed, &mut ripple).await?;
    ripple.carry(tx, context).await?;
    Ok(count)
}

async fn rebuild_people(tx: &mut Tx, context: &Context, rows: Vec<PersonRow>) -> Result<usize> {
    let before: FxHashMap<i64, PersonRow> = rows.iter().map(|row| (row.id, row.clone())).collect();
    let views = views(tx, context, rows).await?;
    let owner: FxHashMap<i64, i64> = views
        .iter()
        .flat_map(|view| view.evidence.iter().map(|id| (*id, view.id)))
        .collect();
    let mut claims: FxHashMap<i64, Vec<Claim>> = FxHashMap::default();
    for row in tx.claims_of(owner.keys().copied()).await? {
        let of = claims.entry(owner[&row.evidence_id]).or_default();
        of.push(claim_of(row)?);
    }
    let (mut save, mut changed) = (Vec::new(), Vec::new());
    for view in views {
        let claims = claims.remove(&view.id).unwrap_or_default();
        let traits = traits_of(claims, &context.plan.survivorship);
        let old = &before[&view.id];
        let new = PersonRow {
            traits: to_json(&traits),
            ..old.clone()
        };
        if new != *old {
            save.push(PersonRow {
                updated_at: context.clock.now().0,
                ..new
            });
            changed.push(View { traits, ..view });
        }
    }
    tx.update_persons(&save).await?;
    if context.watches_people() {
        let mut ripple = Ripple::default();
        accounts::relate(tx, context, &mut changed, &mut ripple).await?;
        settle::evaluate(tx, context, &mut changed, &mut ripple).await?;
        ripple.carry(tx, context).await?;
    }
    Ok(changed.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::*;
    use crate::flow::harness::World;
    use crate::manifest::Subject;
    use serde_json::json;

    const STREAMS: [(&str, &str); 3] =
        [("crm", "contacts"), ("crm", "companies"), ("shop", "users")];

    fn manifest(profile: &str) -> String {
        let person = "to = \"person\"\nkey = \"id\"\nupdated_at = \"updated\"\nmap.email = \"email\"\nmap.name = \"name\"\nmap.account_id = \"company\"";
        format!(
            "[hub]\nname = \"test\"\nstore = \"sqlite:unused.db\"\n[profile]\n{profile}\n\
             [[source]]\nname = \"crm\"\nconnector = \"any\"\n\
             [[source.stream]]\nname = \"contacts\"\n{person}\n\
             [[source.stream]]\nname = \"companies\"\nto = \"account\"\nkey = \"id\"\nupdated_at = \"updated\"\nmap.id = \"company\"\nmap.name = \"name\"\n\
             [[source]]\nname = \"shop\"\nconnector = \"any\"\n\
             [[source.stream]]\nname = \"users\"\n{person}\n\
             [[audience]]\nname = \"adas\"\nwho = {{ trait = \"name\", is = \"Ada\" }}\n\
             [[audience]]\nname = \"of_zet\"\nwho = {{ trait = \"account.name\", is = \"Zet\" }}\n"
        )
    }

    async fn shown(world: &World) -> String {
        let mut tx = world.context.store.read().await.unwrap();
        let rows = tx.persons_after(0, 100).await.unwrap();
        let mut text = String::new();
        for row in rows {
            text += &row.traits;
        }
        for (account, people) in tx.accounts_after("", 100).await.unwrap() {
            text += &format!(" {} {} {people}", account.id, account.traits);
        }
        for name in ["adas", "of_zet"] {
            text += &format!(
                " {name} {}",
                tx.member_count(Subject::Person, name).await.unwrap()
            );
        }
        text
    }

    #[tokio::test]
    async fn other_rules_change_what_is_known_already() {
        let recent = manifest("rule = \"most_recent\"");
        let first = manifest("rule = \"first\"");
        let mut world = World::new(&recent, &STREAMS, 1_000).await;
        rebuild(&world.context).await.unwrap();
        let row = |id: &str, name: &str, updated: i64| json!({"id": id, "email": "a@example.com", "name": name, "updated": updated, "company": "z"});
        world
            .apply(STREAMS[0], &[row("1", "Ada", 1_000_000_000_000)], &[])
            .await;
        world
            .apply(STREAMS[2], &[row("1", "Ida", 1_100_000_000_000)], &[])
            .await;
        let companies = [
            row("1", "Zet", 1_000_000_000_000),
            row("2", "Acme", 1_100_000_000_000),
        ];
        world.apply(STREAMS[1], &companies, &[]).await;
        let by_recent = shown(&world).await;
        assert!(
            by_recent.contains("\"name\":\"Ida\"") && by_recent.contains("\"name\":\"Acme\""),
            "{by_recent}"
        );
        assert!(by_recent.ends_with("adas 0 of_zet 0"), "{by_recent}");

        world.reread(&first, &STREAMS).await;
        assert_eq!(rebuild(&world.context).await.unwrap(), 2);
        let by_first = shown(&world).await;
        assert!(
            by_first.contains("\"name\":\"Ada\"") && by_first.contains("\"name\":\"Zet\""),
            "{by_first}"
        );
        assert!(by_first.ends_with("adas 1 of_zet 1"), "{by_first}");
        assert_eq!(rebuild(&world.context).await.unwrap(), 0);

        world.reread(&recent, &STREAMS).await;
        rebuild(&world.context).await.unwrap();
        assert_eq!(shown(&world).await, by_recent);
    }
}
