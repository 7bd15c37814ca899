//! Two customers who were made one by a browser that both used, and a statement that they are two. Each component has
//! a hundred pieces of evidence, fifty of each customer's browsers.

use super::{Found, Size, memory, stop, world};
use crate::measure::Watch;
use anyhow::{Result, ensure};
use onefold::flow::{Stating, state};
use onefold::identity::StatementKind;
use onefold::model::{Identifier, IdentifierKind};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;
use world::{AUDIENCES, DAY, NOW};

const EVIDENCE: u64 = 100;

pub async fn run(size: Size, folder: &Path) -> Result<Found> {
    let path = world::path(folder);
    let context = world::open(&path, AUDIENCES).await?;
    let (plan, stream) = world::stream(&context, "shop", "orders").await?;
    let mut people = context.store.read().await?.status_counts().await?.people;
    for merge in 0..size.merges {
        memory::put(&context, plan, &stream, component(merge)).await?;
        people += 1;
    }
    let found = context.store.read().await?.status_counts().await?.people;
    ensure!(found == people, "{found} people before, not {people}");
    let watch = Watch::start();
    let mut steps = Vec::new();
    for merge in 0..size.merges {
        let stating = Stating {
            kind: StatementKind::MustNotLink,
            left: external(merge, 'a'),
            right: external(merge, 'b'),
            reason: "one browser, two customers".to_owned(),
            author: "bench".to_owned(),
        };
        let begun = Instant::now();
        state(&context, &[stating]).await?;
        steps.push(begun.elapsed());
        people += 1;
    }
    let measured = stop(&watch, size.merges, &path)?;
    let found = context.store.read().await?.status_counts().await?.people;
    context.store.close().await;
    ensure!(found == people, "{found} people afterwards, not {people}");
    Ok(Found::steps(measured, steps))
}

fn external(merge: u64, side: char) -> Identifier {
    Identifier {
        kind: IdentifierKind::External("shop".into()),
        value: format!("m{merge}{side}"),
    }
}

/// Orders of two customers, each from another browser, but for one browser that both used.
fn component(merge: u64) -> String {
    let mut lines = String::new();
    for piece in 0..EVIDENCE {
        let side = if piece < EVIDENCE / 2 { 'a' } else { 'b' };
        let visitor = piece % (EVIDENCE - 1);
        let time = NOW - (piece as i64 + 1) * DAY;
        let _ = writeln!(
            lines,
            r#"{{"id":"m{merge}-{piece}","customer":"m{merge}{side}","visitor":"browser-{merge}-{visitor}","total":10,"time":{time}}}"#
        );
    }
    lines
}
