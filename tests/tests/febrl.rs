//! Who is who in data with a known answer: Febrl and others. `cargo xtask febrl` prints the table that these goals are read from.

use onefold_tests::febrl::{Method, Set, fetch, goals, measure};
use onefold_tests::need::need;

#[test]
fn likeness_finds_who_is_who_as_well_as_promised() {
    let folder = fetch();
    if !need("febrl", folder.as_ref().err().map(String::as_str)) {
        return;
    }
    // The other sets resemble one of these; each takes seconds.
    let is_wanted =
        |set: &Set| !["Dates", "Spellings", "Name and place", "After years"].contains(&set.name);
    let lines = measure(&folder.unwrap(), is_wanted).unwrap();
    let truth: Vec<(&str, u64)> = lines
        .chunks(4)
        .map(|of_set| (of_set[0].set, of_set[0].truth))
        .collect();
    let known = [
        ("Febrl 3", 6_538),
        ("Febrl 4", 5_000),
        ("Typing errors", 1_000),
        ("Families", 1_000),
        ("Febrl 1", 500),
        ("Febrl 2", 1_934),
        ("RLdata500", 50),
        ("RLdata10000", 1_000),
        ("By ear", 1_000),
        ("Alphabets", 1_000),
        ("Couples", 1_000),
    ];
    assert_eq!(truth, known);
    let goals = goals(&lines);
    assert_eq!(goals.len(), 13);
    for goal in &goals {
        assert!(goal.held, "missed: {}", goal.text);
    }
    // Nobody looks at an automatic link, so hardly any may be wrong, also in data that nothing was tuned on.
    for line in lines.iter().filter(|line| line.method == Method::Automatic) {
        let wrong = line.found - line.right;
        assert!(wrong * 200 <= line.found, "{}: {wrong} wrong", line.set);
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
