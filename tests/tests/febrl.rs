//! Febrl: who is who in data with a known answer. `cargo xtask febrl` prints the table that these goals are read from.

use onefold_tests::febrl::{Method, fetch, goals, measure};
use onefold_tests::need::need;

#[test]
fn likeness_finds_who_is_who_as_well_as_promised() {
    let folder = fetch();
    if !need("febrl", folder.as_ref().err().map(String::as_str)) {
        return;
    }
    let lines = measure(&folder.unwrap()).unwrap();
    let truth: Vec<(&str, u64)> = lines
        .chunks(4)
        .map(|of_set| (of_set[0].set, of_set[0].truth))
        .collect();
    let known = [
        ("Febrl 3", 6_538),
        ("Febrl 4", 5_000),
        ("Febrl 1", 500),
        ("Febrl 2", 1_934),
    ];
    assert_eq!(truth, known);
    let goals = goals(&lines);
    assert_eq!(goals.len(), 6);
    for goal in &goals {
        assert!(goal.held, "missed: {}", goal.text);
    }
    // What likeness is for: on every set it finds what exact rules do not.
    for of_set in lines.chunks(4) {
        let f1 = |method| {
            of_set
                .iter()
                .find(|line| line.method == method)
                .unwrap()
                .f1()
        };
        assert!(
            f1(Method::Suggested) > f1(Method::Rules),
            "{}",
            of_set[0].set
        );
    }
}
