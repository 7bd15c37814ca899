//! Many plain contacts at once, for benchmarks.

use super::HubSpot;

const FIRST_NAMES: [&str; 8] = [
    "Ada", "Jan", "Zofia", "Łukasz", "Mia", "Noah", "Oliwia", "Jürgen",
];
const LAST_NAMES: [&str; 6] = [
    "Lovelace",
    "Kowalska",
    "Nowak",
    "Müller",
    "Smith",
    "Wiśniewska",
];
const STAGES: [&str; 3] = ["lead", "customer", "subscriber"];
const START_MS: i64 = 1_700_000_000_000;

/// An account with `count` contacts whose emails and phones all differ.
pub fn seed_bulk(count: u64) -> HubSpot {
    let mut hub = HubSpot::default();
    for id in 1..=count {
        let at = id as usize;
        let created_ms = START_MS + id as i64 * 1_000;
        let email = format!("person{id}@bulk.example");
        let phone = format!(
            "+48 6{:02} {:03} {:03}",
            id / 1_000_000 % 100,
            id / 1_000 % 1_000,
            id % 1_000
        );
        let company = format!("Company {}", id % 997);
        hub.contacts.seed(
            id,
            created_ms,
            created_ms + 500,
            &[
                ("email", &email),
                ("firstname", FIRST_NAMES[at % FIRST_NAMES.len()]),
                ("lastname", LAST_NAMES[at / 7 % LAST_NAMES.len()]),
                ("phone", &phone),
                ("company", &company),
                ("country", ["PL", "DE", "GB", "US"][at % 4]),
                ("city", "Kraków"),
                ("lifecyclestage", STAGES[at % STAGES.len()]),
            ],
        );
    }
    hub
}
