//! Which audiences people are in, for many identifiers at a time. Writes nothing.

use crate::flow::ask::profile::{Lookup, Wanted, locate};
use crate::flow::context::Context;
use crate::store::Result;
use serde::Serialize;

/// The audiences of the person with an identifier.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct Belonging {
    /// The person's id; none where the identifier names no one person.
    pub person: Option<String>,
    pub audiences: Vec<String>,
}

/// In the order of `wanted`, as of one moment.
pub async fn belonging(context: &Context, wanted: &[Wanted]) -> Result<Vec<Belonging>> {
    let mut tx = context.store.read().await?;
    let mut found = Vec::with_capacity(wanted.len());
    for one in wanted {
        let Lookup::Person(located) = locate(context, &mut tx, one).await? else {
            found.push(Belonging::default());
            continue;
        };
        let rows = tx.memberships_of(located.number()).await?;
        let mut audiences: Vec<String> = rows.into_iter().map(|row| row.audience).collect();
        audiences.sort_unstable();
        found.push(Belonging {
            person: Some(located.id()),
            audiences,
        });
    }
    Ok(found)
}
