//! Every rule by example, and the three laws (I1) for all of them at once.

use super::*;
use crate::manifest::{Survivorship, SurvivorshipRule};
use proptest::prelude::*;
use serde_json::json;

fn claim(source: &str, record: &str, time: i64, traits: Value) -> Claim {
    Claim {
        source: source.into(),
        record: record.to_owned(),
        time: Timestamp(time),
        traits: serde_json::from_value(traits).unwrap(),
        since: BTreeMap::new(),
        is_aside: false,
    }
}

fn by(rule: SurvivorshipRule) -> Survivorship {
    Survivorship {
        default: rule,
        ..Survivorship::default()
    }
}

fn sources(names: &[&str]) -> SurvivorshipRule {
    SurvivorshipRule::SourcePriority(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn each_rule_chooses_as_it_says() {
    use SurvivorshipRule::*;
    let claims = [
        claim(
            "crm",
            "contacts/1",
            10,
            json!({"a": "Al", "n": 2, "list": ["x", "y"], "yes": false, "gone": "kept"}),
        ),
        claim(
            "web",
            "users/7",
            20,
            json!({"a": "Ada", "n": 10, "list": "x", "yes": true, "gone": null}),
        ),
        claim(
            "pay",
            "customers/3",
            30,
            json!({"a": "Al", "n": 2.5, "list": null, "yes": "yes"}),
        ),
    ];
    let cases = [
        (MostRecent, "a", Some((json!("Al"), 2))),
        (MostRecent, "gone", Some((json!("kept"), 0))),
        (MostRecent, "list", Some((json!("x"), 1))),
        (First, "a", Some((json!("Al"), 0))),
        (First, "gone", Some((json!("kept"), 0))),
        (sources(&["web", "crm"]), "a", Some((json!("Ada"), 1))),
        (sources(&["web", "crm"]), "gone", Some((json!("kept"), 0))),
        (sources(&["nobody"]), "a", Some((json!("Al"), 2))),
        (Min, "n", Some((json!(2), 0))),
        (Max, "n", Some((json!(10), 1))),
        (Max, "a", Some((json!("Al"), 2))),
        (Longest, "a", Some((json!("Ada"), 1))),
        (MostFrequent, "a", Some((json!("Al"), 2))),
        (Union, "list", Some((json!(["x", "y"]), 1))),
        (AnyTrue, "yes", Some((json!(true), 1))),
        (AnyTrue, "a", None),
    ];
    for (rule, name, expected) in cases {
        let profile = build(&claims, &by(rule.clone()));
        let found = profile
            .traits
            .get(name)
            .map(|won| (won.value.clone(), won.claim));
        assert_eq!(found, expected, "{rule:?} {name}");
    }
}

#[test]
fn a_null_takes_back_what_its_own_source_said_before_and_nothing_else() {
    let early = claim("crm", "contacts/1", 10, json!({"phone": "1"}));
    let null = claim("crm", "contacts/2", 20, json!({"phone": null}));
    let other = claim("pay", "customers/1", 5, json!({"phone": "2"}));
    let late = claim("crm", "contacts/3", 30, json!({"phone": "3"}));
    let phone = |claims: &[&Claim]| {
        let built = build(claims, &Survivorship::default());
        built.traits.get("phone").map(|won| won.value.clone())
    };
    assert_eq!(phone(&[&early, &null]), None);
    assert_eq!(phone(&[&early, &null, &other]), Some(json!("2")));
    assert_eq!(phone(&[&early, &null, &other, &late]), Some(json!("3")));
}

#[test]
fn a_tie_in_time_goes_to_the_first_source_and_record() {
    let claims = [
        claim("web", "users/1", 5, json!({"a": 1})),
        claim("crm", "contacts/2", 5, json!({"a": 2})),
        claim("crm", "contacts/1", 5, json!({"a": 3})),
    ];
    assert_eq!(
        build(&claims, &Survivorship::default()).traits["a"],
        Won {
            value: json!(3),
            claim: 2
        }
    );
}

#[test]
fn why_names_winner_losers_and_rule() {
    let claims = [
        claim(
            "newsletter",
            "members/5",
            30,
            json!({"stage": "lead", "email": "a@example.com", "gone": null}),
        ),
        claim(
            "crm",
            "contacts/1",
            20,
            json!({"stage": "customer", "email": "b@example.com", "gone": 1}),
        ),
    ];
    let mut rules = by(SurvivorshipRule::MostRecent);
    rules
        .by_trait
        .insert("stage".to_owned(), sources(&["crm", "newsletter"]));
    let whys = explain(&claims, &rules);
    let told: Vec<_> = whys
        .iter()
        .map(|why| {
            (
                why.name.as_str(),
                why.winner.as_ref().map(|won| won.claim),
                why.losers.len(),
                why.rule.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("email", Some(0), 1, "most recent of 2 claims"),
            ("gone", Some(1), 1, "most recent of 2 claims"),
            (
                "stage",
                Some(1),
                1,
                "source priority: crm before newsletter"
            ),
        ]
    );
    assert_eq!(explain(&claims[1..], &rules)[0].rule, "only claim");
}

/// `city` and `zip` go with `street`.
fn address(rule: SurvivorshipRule) -> Survivorship {
    let with = [("city", "street"), ("zip", "street")];
    Survivorship {
        with: with
            .map(|(name, leader)| (name.to_owned(), leader.to_owned()))
            .into(),
        ..by(rule)
    }
}

#[test]
fn traits_that_go_together_come_from_one_record_and_are_never_mixed() {
    let claims = [
        claim(
            "crm",
            "contacts/1",
            10,
            json!({"street": "Long Street 17", "city": "Oslo", "zip": "0150"}),
        ),
        claim(
            "web",
            "users/7",
            20,
            json!({"street": "Short 1", "city": "Bergen", "zip": null}),
        ),
        claim("pay", "customers/3", 30, json!({"city": "Gdynia"})),
    ];
    let built = |claims: &[Claim], rules: &Survivorship| -> Value {
        let traits = build(claims, rules).traits;
        traits
            .into_iter()
            .map(|(name, won)| (name, won.value))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    assert_eq!(
        built(&claims, &address(SurvivorshipRule::MostRecent)),
        json!({"street": "Short 1", "city": "Bergen"})
    );
    assert_eq!(
        built(&claims, &address(SurvivorshipRule::Longest)),
        json!({"street": "Long Street 17", "city": "Oslo", "zip": "0150"})
    );
    assert_eq!(
        built(&claims[2..], &address(SurvivorshipRule::MostRecent)),
        json!({})
    );

    let told = |rules: &Survivorship, claims: &[Claim]| -> Vec<(String, String, usize)> {
        let whys = explain(claims, rules);
        whys.into_iter()
            .map(|why| (why.name, why.rule, why.losers.len()))
            .collect()
    };
    let expected = [
        ("city", "with street, from the same record", 2),
        ("street", "most recent of 2 claims", 1),
        ("zip", "with street, whose record gives none", 2),
    ];
    let recent = address(SurvivorshipRule::MostRecent);
    assert_eq!(
        told(&recent, &claims),
        expected.map(|(name, rule, losers)| (name.to_owned(), rule.to_owned(), losers))
    );
    assert_eq!(
        told(&recent, &claims[2..]),
        [(
            "city".to_owned(),
            "with street, which has no value".to_owned(),
            1
        )]
    );
}

/// Any rules for the traits that `claims` uses; `v` may go with `t`, and `u` with `t` or by itself.
fn survivorship() -> impl Strategy<Value = Survivorship> {
    let with = prop::collection::btree_map(
        prop::sample::select(vec!["u", "v"]).prop_map(str::to_owned),
        Just("t".to_owned()),
        0..3,
    );
    let named = prop::collection::btree_map(
        prop::sample::select(vec!["t", "u"]).prop_map(str::to_owned),
        rules(),
        0..3,
    );
    (named, with, rules()).prop_map(|(by_trait, with, default)| Survivorship {
        by_trait,
        with,
        default,
    })
}

fn rules() -> impl Strategy<Value = SurvivorshipRule> {
    prop::sample::select(vec![
        SurvivorshipRule::MostRecent,
        sources(&["b", "a"]),
        SurvivorshipRule::First,
        SurvivorshipRule::Min,
        SurvivorshipRule::Max,
        SurvivorshipRule::Longest,
        SurvivorshipRule::MostFrequent,
        SurvivorshipRule::Union,
        SurvivorshipRule::AnyTrue,
    ])
}

fn values() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(false),
        json!(1),
        json!(1.0),
        json!(2),
        json!(-1.5),
        json!("a"),
        json!("b"),
        json!("ä"),
        json!("ab"),
        json!([]),
        json!(["a", null, 1]),
        json!({"x": 1, "y": 2}),
        json!({"y": 2, "x": 1}),
        json!({"x": 2}),
        json!(9_007_199_254_740_993_i64),
    ])
}

/// Distinct records with few times, so that ties are common.
fn claims() -> impl Strategy<Value = Vec<Claim>> {
    let traits = prop::collection::btree_map(
        prop::sample::select(vec!["t", "u", "v"]).prop_map(str::to_owned),
        values(),
        0..4,
    );
    let is_aside = prop::bool::weighted(0.3);
    prop::collection::vec((0..3i64, traits, is_aside), 1..8).prop_map(|all| {
        let claims = all
            .into_iter()
            .zip(0..)
            .map(|((time, traits, is_aside), index)| Claim {
                source: ["a", "b", "c"][index * 5 % 3].into(),
                record: format!("r/{}", index * 7 % 8),
                time: Timestamp(time),
                traits,
                since: BTreeMap::new(),
                is_aside,
            });
        claims.collect()
    })
}

/// A profile with its claims by name instead of by number.
fn content(claims: &[Claim], profile: &Profile) -> String {
    let name = |claim: u32| {
        format!(
            "{} {}",
            claims[claim as usize].source, claims[claim as usize].record
        )
    };
    let traits = profile
        .traits
        .iter()
        .map(|(trait_name, won)| format!("{trait_name} {} {}", won.value, name(won.claim)));
    traits.collect::<Vec<_>>().join("\n")
}

mod properties {
    use super::*;
    use std::cmp::{Ordering, Reverse};

    /// What each rule says, read off its words: a claim wins a trait when no other claim is better. No sorting, no groups of
    /// candidates, every pair looked at.
    fn naive(claims: &[Claim], rules: &Survivorship) -> Vec<String> {
        let mut told = Vec::new();
        for name in ["t", "u", "v"] {
            let leader = rules.with.get(name).map_or(name, String::as_str);
            let rule = rules.by_trait.get(leader).unwrap_or(&rules.default);
            let Some(best) = winner(claims, leader, rule) else {
                continue;
            };
            let value = match rule {
                SurvivorshipRule::Union if leader == name => {
                    let alike = claims.iter().filter(|one| one.is_aside == best.is_aside);
                    let stated = alike.filter_map(|claim| claim.traits.get(name));
                    value::union(stated)
                }
                _ => best.traits.get(name).cloned().unwrap_or_default(),
            };
            if !value.is_null() {
                told.push(format!("{name} {value} {} {}", best.source, best.record));
            }
        }
        told
    }

    fn winner<'a>(claims: &'a [Claim], name: &str, rule: &SurvivorshipRule) -> Option<&'a Claim> {
        let candidates: Vec<&Claim> = claims
            .iter()
            .filter(|claim| stands(claims, claim, name, rule))
            .collect();
        let is_best = |one: &&&Claim| {
            let beaten = |other: &&Claim| better(&candidates, other, one, name, rule);
            !candidates.iter().any(beaten)
        };
        candidates.iter().find(is_best).copied()
    }

    fn stands(claims: &[Claim], claim: &Claim, name: &str, rule: &SurvivorshipRule) -> bool {
        let clears = |other: &Claim| {
            other.source == claim.source
                && other.traits.get(name).is_some_and(Value::is_null)
                && later(other, claim) != Ordering::Greater
        };
        match (claim.traits.get(name), rule) {
            (None | Some(Value::Null), _) => false,
            (Some(value), SurvivorshipRule::AnyTrue) => value.is_boolean(),
            (Some(_), SurvivorshipRule::MostRecent) => !claims.iter().any(clears),
            _ => true,
        }
    }

    /// `Less` when the first is the later statement.
    fn later(one: &Claim, other: &Claim) -> Ordering {
        let key = |claim: &Claim| {
            (
                claim.is_aside,
                Reverse(claim.time),
                claim.source.clone(),
                claim.record.clone(),
            )
        };
        key(one).cmp(&key(other))
    }

    fn better(
        all: &[&Claim],
        one: &Claim,
        other: &Claim,
        name: &str,
        rule: &SurvivorshipRule,
    ) -> bool {
        let (a, b) = (&one.traits[name], &other.traits[name]);
        let rank = |source: &str, sources: &[String]| {
            sources
                .iter()
                .position(|known| known == source)
                .unwrap_or(usize::MAX)
        };
        let count = |value: &Value| {
            let alike = all.iter().filter(|claim| claim.is_aside == one.is_aside);
            let same = alike.filter(|claim| claim.traits[name] == *value);
            same.map(|claim| (&claim.source, &claim.record))
                .collect::<std::collections::BTreeSet<_>>()
                .len()
        };
        let first = match rule {
            SurvivorshipRule::MostRecent | SurvivorshipRule::Union => Ordering::Equal,
            SurvivorshipRule::SourcePriority(sources) => {
                rank(&one.source, sources).cmp(&rank(&other.source, sources))
            }
            SurvivorshipRule::First => one.time.cmp(&other.time),
            SurvivorshipRule::Min => value::compare(a, b),
            SurvivorshipRule::Max => value::compare(b, a),
            SurvivorshipRule::Longest => value::length(b).cmp(&value::length(a)),
            SurvivorshipRule::MostFrequent if a == b => Ordering::Equal,
            SurvivorshipRule::MostFrequent => count(b)
                .cmp(&count(a))
                .then_with(|| latest(all, one.is_aside, name, a, b)),
            SurvivorshipRule::AnyTrue => (*b == Value::Bool(true)).cmp(&(*a == Value::Bool(true))),
        };
        let kind = one.is_aside.cmp(&other.is_aside);
        kind.then(first).then_with(|| later(one, other)) == Ordering::Less
    }

    /// Of two values given equally often, the one that was given last is better.
    fn latest(all: &[&Claim], is_aside: bool, name: &str, a: &Value, b: &Value) -> Ordering {
        let last = |value: &Value| {
            let alike = all.iter().filter(|claim| claim.is_aside == is_aside);
            let giving = alike.filter(|claim| claim.traits[name] == *value);
            giving
                .map(|claim| {
                    (
                        Reverse(claim.time),
                        claim.source.clone(),
                        claim.record.clone(),
                    )
                })
                .min()
        };
        last(a).cmp(&last(b))
    }

    fn names(claims: &[Claim], profile: &Profile) -> Vec<String> {
        let told = profile.traits.iter().map(|(name, won)| {
            let claim = &claims[won.claim as usize];
            format!("{name} {} {} {}", won.value, claim.source, claim.record)
        });
        told.collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_rule_and_every_group_is_what_its_words_say(claims in claims(), rules in survivorship()) {
            prop_assert_eq!(names(&claims, &build(&claims, &rules)), naive(&claims, &rules));
        }

        #[test]
        fn order_and_repeats_of_claims_mean_nothing(claims in claims(), rules in survivorship(), keys in prop::collection::vec(any::<u8>(), 8), twice in any::<bool>()) {
            let mut order: Vec<usize> = (0..claims.len()).collect();
            order.sort_by_key(|&index| keys[index]);
            let mut shuffled: Vec<Claim> = order.iter().map(|&index| claims[index].clone()).collect();
            if twice {
                shuffled.extend(claims.iter().take(3).cloned());
            }
            prop_assert_eq!(content(&claims, &build(&claims, &rules)), content(&shuffled, &build(&shuffled, &rules)));
        }

        #[test]
        fn one_claim_the_short_way_is_one_claim_the_long_way(claims in claims(), rules in survivorship()) {
            let long = build(&claims[..1], &rules);
            let traits: Fields = long.traits.into_iter().map(|(name, won)| (name, won.value)).collect();
            prop_assert_eq!(traits, build_one(claims[0].clone(), &rules));
        }

        #[test]
        fn explain_agrees_with_build(claims in claims(), rules in survivorship()) {
            let whys = explain(&claims, &rules);
            let said = whys.iter().filter_map(|why| Some((why.name.clone(), why.winner.clone()?)));
            prop_assert_eq!(said.collect::<BTreeMap<_, _>>(), build(&claims, &rules).traits);
            for why in &whys {
                let all = claims.iter().filter(|claim| claim.traits.contains_key(&why.name)).count();
                prop_assert_eq!(why.losers.len() + usize::from(why.winner.is_some()), all);
            }
        }

        #[test]
        fn values_are_in_one_order(a in values(), b in values(), c in values()) {
            prop_assert_eq!(value::compare(&a, &b), value::compare(&b, &a).reverse());
            if value::compare(&a, &b).is_le() && value::compare(&b, &c).is_le() {
                prop_assert!(value::compare(&a, &c).is_le());
            }
        }
    }
}
