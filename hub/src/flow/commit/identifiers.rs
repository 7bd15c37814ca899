//! Stored identifiers and statements in the forms that the stages use.

use crate::flow::stored_json::unknown;
use crate::identity::StatementKind;
use crate::landing::{next_slot, slot_of_identifier};
use crate::model::{Identifier, IdentifierKind};
use crate::store::{IdentifierRow, Result, StatementRow, Tx};

/// The row of an identifier, if the hub has seen it.
pub async fn find(tx: &mut Tx, identifier: &Identifier) -> Result<Option<IdentifierRow<'static>>> {
    let kind = identifier.kind.to_string();
    let mut slot = slot_of_identifier(&kind, &identifier.value);
    loop {
        match tx.identifiers_at(&[slot]).await?.pop() {
            None => return Ok(None),
            Some(row) if row.kind == kind && row.value == identifier.value => return Ok(Some(row)),
            Some(_) => slot = next_slot(slot),
        }
    }
}

/// A stored identifier in the form that the stages use.
pub fn identifier_of(row: &IdentifierRow<'_>) -> Result<Identifier> {
    Ok(Identifier {
        kind: kind_of(row)?,
        value: row.value.clone().into_owned(),
    })
}

pub fn kind_of(row: &IdentifierRow<'_>) -> Result<IdentifierKind> {
    IdentifierKind::parse(&row.kind).ok_or_else(|| unknown("identifier.kind", row.slot))
}

/// What a stored statement says.
pub fn statement_kind(row: &StatementRow) -> Result<StatementKind> {
    match row.kind.as_str() {
        "link" => Ok(StatementKind::MustLink),
        "separate" => Ok(StatementKind::MustNotLink),
        _ => Err(unknown("statement.kind", row.id)),
    }
}
