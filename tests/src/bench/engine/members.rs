//! The other audiences of the plan, filled as if they had been there all the time: members, and the timers of those
//! whose window runs out. The row that follows proves that they are what the engine would have found.

use super::seed::drop_indexes;
use super::{Found, Size, stop, world};
use crate::measure::Watch;
use anyhow::Result;
use rusqlite::{Connection, params};
use std::path::Path;
use world::{AUDIENCES, NOW, People};

pub fn run(size: Size, folder: &Path) -> Result<Found> {
    let watch = Watch::start();
    let path = world::path(folder);
    let people = People::new(size)?;
    let mut store = Connection::open(&path)?;
    store.execute_batch("pragma synchronous = off; pragma cache_size = -200000")?;
    let mut indexes = drop_indexes(&store, "membership")?;
    indexes.extend(drop_indexes(&store, "timer")?);
    let tx = store.transaction()?;
    {
        let mut member =
            tx.prepare("insert into membership (audience, person_id, since) values (?, ?, ?)")?;
        let mut timer =
            tx.prepare("insert into timer (audience, person_id, due_at) values (?, ?, ?)")?;
        let audiences = world::audiences(AUDIENCES).into_iter().enumerate();
        for (index, audience) in audiences.skip(1) {
            let name = world::audience_name(index);
            for customer in 0..size.profiles {
                let Some(until) = audience.holds(customer, &people) else {
                    continue;
                };
                let person = customer as i64 + 1;
                member.execute(params![name, person, NOW])?;
                if let Some(until) = until {
                    timer.execute(params![name, person, until])?;
                }
            }
        }
    }
    tx.commit()?;
    for text in indexes {
        store.execute_batch(&text)?;
    }
    store.execute_batch("pragma wal_checkpoint(truncate)")?;
    Ok(Found::whole(stop(&watch, size.profiles, &path)?))
}
