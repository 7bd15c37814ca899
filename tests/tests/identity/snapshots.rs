//! What is printed about who is who, whole.

use super::pair::{ADA, ANNA, MIA, Pair};
use crate::small::JANUARY_MS;
use crate::snapshots::transcript;

#[test]
fn explanations_graphs_and_statements() {
    let pair = Pair::new("600 100 001");
    pair.hub.run(&["run", "--no-delivery"]).ends_with(0);
    let separate = [
        "identity",
        "separate",
        ADA,
        ANNA,
        "--reason",
        "sisters with one phone",
        "--by",
        "ola",
    ];
    let link = [
        "identity", "link", ADA, ANNA, "--reason", "the same", "--by", "jan",
    ];
    let strangers = [
        "identity",
        "link",
        "email:stranger@mail.example",
        ADA,
        "--reason",
        "x",
    ];
    let revoke = [
        "identity",
        "revoke",
        "1",
        "--reason",
        "one person after all",
        "--by",
        "jan",
    ];
    let steps = [
        &["identity", "explain", ADA, ANNA][..],
        &["identity", "explain", ADA, MIA],
        &["identity", "graph", ANNA],
        &separate,
        &["identity", "explain", ADA, ANNA],
        &["identity", "graph", ANNA],
        &link,
        &strangers,
        &["identity", "link", ADA, ADA, "--reason", "x"],
        &["identity", "review"],
        &["identity", "statements"],
        &revoke,
        &["identity", "revoke", "1", "--reason", "again"],
        &["identity", "statements"],
        &["identity", "explain", ADA, ANNA],
    ];
    let text: Vec<String> = steps
        .iter()
        .map(|arguments| transcript(&pair.hub, arguments))
        .collect();
    insta::assert_snapshot!("identity", text.join("\n"));
}

#[test]
fn shared_values_and_limits_are_named() {
    let pair = Pair::new("600 100 001");
    // As an initial, her name could be Ada's.
    pair.hubspot.with(|hubspot| {
        hubspot
            .contacts
            .edit(12, &[("firstname", "Anna")], JANUARY_MS + 12 * 60_000);
    });
    pair.hub
        .write("shared.toml", "[identity]\nshared_above = 1\n");
    pair.hub.run(&["run", "--no-delivery"]).ends_with(0);
    let text = [
        transcript(&pair.hub, &["identity", "explain", ADA, ANNA]),
        transcript(&pair.hub, &["identity", "review"]),
        transcript(&pair.hub, &["identity", "graph", ADA]),
    ];
    insta::assert_snapshot!("identity-shared", text.join("\n"));
    let svg = pair
        .hub
        .run(&["identity", "graph", ADA, "--svg"])
        .ends_with(0)
        .stdout;
    assert!(
        svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"),
        "{svg}"
    );
    assert_eq!(svg.matches('<').count(), svg.matches('>').count(), "{svg}");
}
