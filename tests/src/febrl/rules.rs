//! Who is who by exact agreement alone: the hub's own identity, with identifiers made of fields that name a person together.

use super::data::{
    ADDRESS_1, DATE_OF_BIRTH, GIVEN_NAME, POSTCODE, Person, SOC_SEC_ID, STREET_NUMBER, SURNAME,
};
use anyhow::{Context, Result};
use onefold::identity::{Evidence, Neighbourhood, Node, Rules};
use onefold::manifest::IdentityRules;
use onefold::model::{Identifier, IdentifierKind, Timestamp};
use std::collections::HashMap;

/// Each is one identifier of a person who has all of its fields.
const KEYS: [(&str, &[usize]); 5] = [
    ("national_id", &[SOC_SEC_ID]),
    ("name_born", &[GIVEN_NAME, SURNAME, DATE_OF_BIRTH]),
    ("surname_born_place", &[SURNAME, DATE_OF_BIRTH, POSTCODE]),
    (
        "given_name_born_place",
        &[GIVEN_NAME, DATE_OF_BIRTH, POSTCODE],
    ),
    (
        "name_address",
        &[GIVEN_NAME, SURNAME, STREET_NUMBER, ADDRESS_1],
    ),
];

/// Everybody's person, as a number that means nothing else.
///
/// # Errors
/// When the hub does not know a kind of identifier.
pub fn resolve(people: &[Person]) -> Result<Vec<u64>> {
    let mut world = Neighbourhood::default();
    let mut known: HashMap<Identifier, u32> = HashMap::new();
    for (number, person) in people.iter().enumerate() {
        let mut nodes = Vec::new();
        for (name, fields) in KEYS {
            let values: Vec<&str> = fields
                .iter()
                .map(|&field| person.fields[field].as_str())
                .collect();
            if values.iter().any(|value| value.is_empty()) {
                continue;
            }
            let identifier = Identifier {
                kind: IdentifierKind::parse(&format!("external:{name}")).context("no kind")?,
                value: values.join("|"),
            };
            let node = *known.entry(identifier).or_insert_with_key(|identifier| {
                world.nodes.push(Node {
                    identifier: identifier.clone().into(),
                    shared: false,
                    blocked: false,
                });
                world.nodes.len() as u32 - 1
            });
            nodes.push(node);
        }
        world.evidence.push(Evidence {
            nodes,
            first_seen: Timestamp(number as i64),
            message: number.to_string().into(),
            name: None,
        });
    }
    let rules = Rules::new(&IdentityRules::default(), "febrl");
    let resolution = onefold::identity::resolve(&world, &rules);
    let people = resolution.person_of_evidence.iter().zip(0_u64..);
    // A record without any key is a person of its own.
    let alone = resolution.people.len() as u64;
    Ok(people
        .map(|(person, number)| person.map_or(alone + number, u64::from))
        .collect())
}
