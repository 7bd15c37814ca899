//! What the help desk holds when it opens, from a seed and a number. Chosen to be hard on connectors: equal times across the
//! ends of pages, ids above 2^53, numbers that change when they are parsed, escapes, fields nobody declared, tombstones,
//! and ids that are used again after their tombstone, in the same page and pages later.

use super::Settings;
use super::desk::{Contact, Desk, time};
use std::collections::BTreeMap;

/// 2024-01-01T00:00:00Z
const START: i64 = 1_704_067_200_000;
/// The first integer that a double cannot hold is one more than this.
const TWO_TO_53: u64 = 1 << 53;

const NAMES: &[&str] = &[
    "Ada Lovelace",
    "Zoë Ångström",
    "Łukasz Żółć",
    "李 雷",
    "محمد علي",
    "Seán O'Neil \"Sunny\"",
    "İpek Işık",
    "Back\\slash / Slash",
    "👩‍👩‍👧 Family",
    "Combining e\u{301}\u{200b} name",
    "Line\u{2028}separated",
    "नेहा शर्मा",
];

/// Members that no schema declares.
const EXTRAS: &[&str] = &[
    r#","score":1.10"#,
    r#","balance":1e2,"note":"a \u2028 b""#,
    r#","ledger":123456789012345678901234567890"#,
    r#","custom":{"nested":[1,2.50,{"deep":null}],"":""}"#,
    "",
    r#","labels":[],"e\u0301":"\ud83e\udd8a","ratio":-0.0"#,
];

const PHONES: &[&str] = &["+48 600 123 ", "(020) 7946-0", "+1-202-555-0"];
const SUBJECTS: &[&str] = &[
    "Cannot log in",
    "Rechnung für März",
    "退款",
    "Where is my order?\\n(second try)",
    "",
];
const STATES: &[&str] = &["open", "pending", "closed"];

pub fn open(settings: Settings) -> Desk {
    let count = u64::from(settings.contacts);
    let again = created_again(count);
    let mut ids: Vec<u64> = (0..count).map(id).collect();
    for (index, deleted) in &again {
        ids[usize::try_from(*index).unwrap_or(0)] = id(*deleted);
    }
    let mut desk = Desk::new(settings.seed, START + 1_000 * 86_400_000, count);
    desk.new_members = settings.new_members;
    let mut at = START;
    for (index, id) in ids.iter().enumerate() {
        let index = index as u64;
        let random = random(settings.seed, index);
        at += step(index, random).max(i64::from(again.contains_key(&index)));
        if is_deleted(&again, index, random % 17 == 3) {
            desk.put_tombstone(*id, at);
        } else {
            desk.put_contact(*id, contact(index, random, at), at);
        }
    }
    tickets(&mut desk, settings.seed, &ids);
    desk.tag("customers");
    desk
}

/// Indices at which a deleted row is created again, each with the index of its tombstone: one many pages behind its
/// tombstone, one right behind it. None when there are only a few rows.
fn created_again(count: u64) -> BTreeMap<u64, u64> {
    match count {
        ..40 => BTreeMap::new(),
        _ => BTreeMap::from([(count - 7, count / 4), (count / 2 + 1, count / 2)]),
    }
}

/// Whether there is a tombstone at an index: where chance wants one, and where a row is created again later.
fn is_deleted(again: &BTreeMap<u64, u64>, index: u64, by_chance: bool) -> bool {
    again.values().any(|deleted| *deleted == index) || by_chance && !again.contains_key(&index)
}

/// Most ids are small; some are what a double cannot hold.
fn id(index: u64) -> u64 {
    match index % 9 {
        4 => TWO_TO_53 + 1 + 2 * index,
        8 => u64::MAX / 2 - index,
        _ => index + 1,
    }
}

/// Time until the next row: none within small groups, and none across the end of each page of 25.
fn step(index: u64, random: u64) -> i64 {
    let near_the_end_of_a_page = matches!(index % 25, 0 | 1 | 23 | 24);
    match near_the_end_of_a_page || random.is_multiple_of(3) {
        true => 0,
        false => 1 + i64::try_from(random % 90_000).unwrap_or_default(),
    }
}

fn contact(index: u64, random: u64, at: i64) -> Contact {
    let pick = |list: &[&'static str], by: u64| list[usize::try_from(by).unwrap_or(0) % list.len()];
    let domain = match index % 11 {
        7 => "bücher.example",
        _ => "example.com",
    };
    let email = match index % 8 {
        5 => format!("Person.{index}+Desk@Example.com"),
        _ => format!("person.{index}@{domain}"),
    };
    Contact {
        email,
        name: pick(NAMES, random >> 8).to_owned(),
        phone: (index % 4 != 1).then(|| format!("{}{:03}", pick(PHONES, index), index % 1_000)),
        plan: if random & 1 == 0 { "free" } else { "pro" }.to_owned(),
        marketing_opt_in: random & 2 == 0,
        created_at: at - i64::try_from(random % 40_000_000).unwrap_or_default(),
        extra: pick(EXTRAS, random >> 16),
        escaped: index % 5 == 2,
    }
}

fn tickets(desk: &mut Desk, seed: u64, contacts: &[u64]) {
    let mut at = START;
    let count = contacts.len() as u64 / 2;
    let again = created_again(count);
    for index in 0..count {
        let random = random(seed ^ 0x7157, index);
        at += step(index, random).max(i64::from(again.contains_key(&index)));
        let number = again.get(&index).unwrap_or(&index) + 1;
        let updated_at = time(at);
        if is_deleted(&again, index, random % 23 == 5) {
            let text =
                format!(r#"{{"id":"T-{number}","deleted":true,"updated_at":"{updated_at}"}}"#);
            desk.tickets.delete(number, at, text);
        } else {
            let pick = |from: &[&'static str], by: u64| {
                from[usize::try_from(by).unwrap_or(0) % from.len()]
            };
            let text = format!(
                r#"{{"id":"T-{number}","contact_id":{},"subject":"{}","status":"{}","priority":{},"created_at":"{}","updated_at":"{updated_at}"{}}}"#,
                contacts[usize::try_from(random >> 20).unwrap_or(0) % contacts.len()],
                pick(SUBJECTS, random >> 8),
                pick(STATES, random >> 12),
                1 + random % 4,
                time(at - i64::try_from(random % 9_000_000).unwrap_or_default()),
                pick(EXTRAS, random >> 16),
            );
            desk.tickets.put(number, at, text);
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014) of the index, so that each row has its own number whatever the count.
fn random(seed: u64, index: u64) -> u64 {
    let mut mixed = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
