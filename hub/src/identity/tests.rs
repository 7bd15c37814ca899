//! Attacks on I1, I2 and I4: a naive oracle, shuffles, and components resolved alone.

use super::*;
use crate::manifest::{IdentityRules, Trust};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

fn identifier(text: &str) -> Identifier {
    let (kind, value) = match text.rsplit_once(':') {
        Some(parts) => parts,
        None => (text.split_at(1).0, text),
    };
    let kind = match kind {
        "u" => IdentifierKind::UserId,
        "x" => IdentifierKind::External("crm".into()),
        "e" => IdentifierKind::Email,
        "p" => IdentifierKind::Phone,
        other => IdentifierKind::parse(other).unwrap(),
    };
    Identifier {
        kind,
        value: value.to_owned(),
    }
}

/// `evidence` is (nodes, first seen, message); every node named anywhere is live.
fn world(evidence: &[(&[&str], i64, &str)]) -> Neighbourhood {
    let mut index = BTreeMap::new();
    let mut world = Neighbourhood::default();
    for (names, first_seen, message) in evidence {
        let nodes = names.iter().map(|name| {
            *index.entry(*name).or_insert_with(|| {
                world.nodes.push(Node {
                    identifier: identifier(name).into(),
                    shared: false,
                    blocked: false,
                });
                world.nodes.len() as u32 - 1
            })
        });
        let nodes = nodes.collect();
        world.evidence.push(Evidence {
            nodes,
            first_seen: Timestamp(*first_seen),
            message: (*message).into(),
            name: None,
        });
    }
    world
}

fn node(world: &Neighbourhood, name: &str) -> u32 {
    world
        .nodes
        .iter()
        .position(|node| *node.identifier == identifier(name))
        .unwrap() as u32
}

fn state(world: &mut Neighbourhood, kind: StatementKind, left: &str, right: &str) {
    let statement = Statement {
        kind,
        left: node(world, left),
        right: node(world, right),
    };
    world.statements.push(statement);
}

fn rules() -> Rules {
    Rules::new(&IdentityRules::default(), "acme")
}

/// People as the values of their nodes, each sorted, in order.
fn people(world: &Neighbourhood, resolution: &Resolution) -> Vec<Vec<String>> {
    let mut people: Vec<Vec<String>> = resolution
        .people
        .iter()
        .map(|person| {
            person
                .nodes
                .iter()
                .map(|&node| world.nodes[node as usize].identifier.value.clone())
                .collect()
        })
        .collect();
    people.sort();
    people
}

#[test]
fn records_that_share_an_address_are_one_person_named_after_the_earliest() {
    let world = world(&[
        (&["u1", "e1"], 20, "web/users/1"),
        (&["x1", "e1", "p1"], 10, "crm/contacts/1"),
    ]);
    let resolution = resolve(&world, &rules());
    assert_eq!(people(&world, &resolution), [["u1", "x1", "e1", "p1"]]);
    let person = &resolution.people[0];
    assert_eq!(
        person.id.0,
        Uuid::new_v5(&rules().namespace, b"crm/contacts/1")
    );
    assert_eq!(person.evidence, [1, 0]);
    assert_eq!(person.joined.len(), 3);
    assert_eq!(resolution.person_of_node, [Some(0); 4]);
}

#[test]
fn the_earlier_edge_wins_when_two_users_claim_one_address() {
    let world = world(&[(&["u1", "e1"], 20, "a/a/1"), (&["u2", "e1"], 10, "a/a/2")]);
    let resolution = resolve(&world, &rules());
    assert_eq!(people(&world, &resolution), [vec!["u1"], vec!["u2", "e1"]]);
    let edge = Edge {
        high: node(&world, "u1"),
        low: node(&world, "e1"),
        evidence: Some(0),
    };
    let reason = Reason::Limit {
        kind: IdentifierKind::UserId,
        limit: 1,
    };
    assert_eq!(resolution.rejected, [Rejection { edge, reason }]);
}

#[test]
fn at_one_time_the_identifiers_decide_and_then_the_message() {
    let by_identifier = world(&[(&["u2", "e1"], 10, "a/a/1"), (&["u1", "e1"], 10, "a/a/2")]);
    assert_eq!(
        people(&by_identifier, &resolve(&by_identifier, &rules())),
        [vec!["u1", "e1"], vec!["u2"]]
    );
    let by_message = world(&[
        (&["e1", "p1"], 10, "b/b/2"),
        (&["e1", "p1", "p2"], 10, "b/b/1"),
    ]);
    let resolution = resolve(&by_message, &rules());
    assert_eq!(
        resolution.people[0].id.0,
        Uuid::new_v5(&rules().namespace, b"b/b/1")
    );
    assert_eq!(resolution.people[0].joined[0].evidence, Some(1));
}

#[test]
fn a_stronger_edge_goes_before_an_earlier_one() {
    let world = world(&[
        (&["u1", "p1"], 1, "a/a/1"),
        (&["x1", "p1"], 2, "a/a/2"),
        (&["u2", "x1"], 9, "a/a/3"),
    ]);
    assert_eq!(
        people(&world, &resolve(&world, &rules())),
        [vec!["u1", "p1"], vec!["u2", "x1"]]
    );
}

#[test]
fn statements_join_and_part_and_the_must_not_is_stronger() {
    let mut one = world(&[(&["u1", "e1"], 1, "a/a/1"), (&["x2", "e2"], 2, "a/a/2")]);
    state(&mut one, StatementKind::MustLink, "e2", "e1");
    assert_eq!(
        people(&one, &resolve(&one, &rules())),
        [vec!["u1", "x2", "e1", "e2"]]
    );
    state(&mut one, StatementKind::MustNotLink, "x2", "u1");
    let resolution = resolve(&one, &rules());
    assert_eq!(
        people(&one, &resolution),
        [vec!["u1", "e1", "e2"], vec!["x2"]]
    );
    assert_eq!(
        resolution.rejected[0].reason,
        Reason::MustNotLink { statement: 1 }
    );
    assert_eq!(resolution.rejected[0].edge.evidence, Some(1));
}

#[test]
fn a_limit_binds_even_a_must_link() {
    let mut one = world(&[(&["u1"], 1, "a/a/1"), (&["u2"], 2, "a/a/2")]);
    state(&mut one, StatementKind::MustLink, "u1", "u2");
    let resolution = resolve(&one, &rules());
    assert_eq!(resolution.people.len(), 2);
    assert_eq!(resolution.rejected[0].edge.evidence, None);
}

#[test]
fn shared_and_blocked_values_join_nobody_and_belong_to_nobody() {
    let mut one = world(&[
        (&["u1", "e1"], 1, "a/a/1"),
        (&["x1", "e1"], 2, "a/a/2"),
        (&["e1"], 3, "a/a/3"),
    ]);
    for mark in [
        |node: &mut Node| node.shared = true,
        |node: &mut Node| node.blocked = true,
    ] {
        let mut marked = one.clone();
        mark(&mut marked.nodes[1]);
        let resolution = resolve(&marked, &rules());
        assert_eq!(people(&marked, &resolution), [vec!["u1"], vec!["x1"]]);
        assert_eq!(resolution.person_of_node[1], None);
        assert_eq!(resolution.person_of_evidence[2], None);
        assert_eq!(components(&marked, &rules()), [0, 1, 2]);
    }
    one.nodes[1].shared = false;
    assert_eq!(resolve(&one, &rules()).people.len(), 1);
}

#[test]
fn a_refused_node_without_evidence_of_its_own_is_nobodys() {
    let one = world(&[(&["u1", "u2", "e1"], 1, "a/a/1")]);
    let resolution = resolve(&one, &rules());
    assert_eq!(people(&one, &resolution), [vec!["u1", "e1"]]);
    assert_eq!(resolution.person_of_node[1], None);
}

#[test]
fn a_weak_value_is_shared_above_so_many_ids_of_one_strong_kind() {
    let two = world(&[
        (&["x1", "e1"], 1, "a/a/1"),
        (&["x2", "e1"], 1, "a/a/2"),
        (&["u1", "e1", "p1"], 1, "a/a/3"),
    ]);
    assert_eq!(shared(&two.nodes, &two.evidence, &rules()), [false; 5]);
    let mut three = world(&[
        (&["x1", "e1"], 1, "a/a/1"),
        (&["x2", "e1"], 1, "a/a/2"),
        (&["x3", "e1", "p1"], 1, "a/a/3"),
        (&["x3", "e1"], 2, "a/a/4"),
    ]);
    let e1 = node(&three, "e1") as usize;
    let answer = shared(&three.nodes, &three.evidence, &rules());
    assert_eq!(answer.iter().filter(|shared| **shared).count(), 1);
    assert!(answer[e1]);
    three.nodes[0].blocked = true;
    assert!(
        !shared(&three.nodes, &three.evidence, &rules())[e1],
        "a blocked id counts for nothing"
    );
}

#[test]
fn limits_may_name_every_external_kind_or_one() {
    let manifest = IdentityRules {
        limits: vec![
            ("external".to_owned(), 1),
            ("external:shop".to_owned(), 2),
            ("nonsense".to_owned(), 1),
        ],
        ..IdentityRules::default()
    };
    let rules = Rules::new(&manifest, "acme");
    assert_eq!(
        rules.limit(&IdentifierKind::External("crm".into())),
        Some(1)
    );
    assert_eq!(
        rules.limit(&IdentifierKind::External("shop".into())),
        Some(2)
    );
    assert_eq!(rules.limit(&IdentifierKind::Email), None);
}

#[test]
fn a_large_component_is_not_quadratic() {
    let mut big = Neighbourhood::default();
    for index in 0..20_000u32 {
        let name = if index % 2 == 0 {
            format!("u:{index}")
        } else {
            format!("e:{index}")
        };
        big.nodes.push(Node {
            identifier: identifier(&name).into(),
            shared: false,
            blocked: false,
        });
    }
    for index in 0..19_999u32 {
        big.evidence.push(Evidence {
            nodes: vec![index, index + 1],
            first_seen: Timestamp(1),
            message: format!("a/a/{index}").into(),
            name: None,
        });
        if index % 3 == 0 {
            big.statements.push(Statement {
                kind: StatementKind::MustNotLink,
                left: 0,
                right: index,
            });
        }
    }
    let started = std::time::Instant::now();
    let resolution = resolve(&big, &rules());
    assert!(resolution.people.len() >= 10_000);
    assert!(
        started.elapsed() < std::time::Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
}

// ---- properties ----

/// What an answer says, in content only.
type Content = (
    BTreeMap<String, (BTreeSet<String>, Vec<String>)>,
    BTreeMap<String, Option<String>>,
    BTreeSet<String>,
);

fn content(world: &Neighbourhood, resolution: &Resolution) -> Content {
    let name = |node: u32| format!("{:?}", world.nodes[node as usize].identifier);
    let people = resolution.people.iter().map(|person| {
        let nodes = person.nodes.iter().map(|&node| name(node)).collect();
        let evidence = person
            .evidence
            .iter()
            .map(|&piece| world.evidence[piece as usize].message.to_string())
            .collect();
        (person.id.to_string(), (nodes, evidence))
    });
    let nodes = resolution
        .person_of_node
        .iter()
        .zip(0..)
        .map(|(person, node)| {
            (
                name(node),
                person.map(|person| resolution.people[person as usize].id.to_string()),
            )
        });
    let edge = |edge: &Edge| {
        format!(
            "{} {} {:?}",
            name(edge.high),
            name(edge.low),
            edge.evidence
                .map(|piece| &world.evidence[piece as usize].message)
        )
    };
    let edges = resolution
        .people
        .iter()
        .flat_map(|person| &person.joined)
        .map(edge);
    let rejected = resolution.rejected.iter().map(|rejection| {
        let kind = match &rejection.reason {
            Reason::Limit { kind, .. } => kind.to_string(),
            Reason::MustNotLink { statement } => {
                let Statement { left, right, .. } = world.statements[*statement as usize];
                format!(
                    "{} {}",
                    name(left).min(name(right)),
                    name(left).max(name(right))
                )
            }
            Reason::ComponentCap { size } => format!("{size} nodes"),
        };
        format!("refused {} {kind}", edge(&rejection.edge))
    });
    let all = edges.chain(rejected).collect();
    (people.collect(), nodes.collect(), all)
}

/// Lateness and strength, time, the two ends, the message.
type OracleEdge = ((bool, usize), Timestamp, Identifier, Identifier, String);

/// What is left when parts of more than `cap` nodes lose their weakest edges, again and again.
fn oracle_cap(edges: Vec<OracleEdge>, cap: usize) -> Vec<OracleEdge> {
    let Some(first) = edges.first() else {
        return edges;
    };
    let mut part = BTreeSet::from([first.2.clone()]);
    loop {
        let before = part.len();
        for (_, _, a, b, _) in &edges {
            if part.contains(a) || part.contains(b) {
                part.extend([a.clone(), b.clone()]);
            }
        }
        if part.len() == before {
            break;
        }
    }
    let (mut inside, outside): (Vec<_>, Vec<_>) =
        edges.into_iter().partition(|edge| part.contains(&edge.2));
    let weakest = inside
        .iter()
        .map(|edge| edge.0)
        .filter(|strength| strength.1 > 0)
        .max();
    match weakest {
        Some(weakest) if part.len() > cap => {
            inside.retain(|edge| edge.0 != weakest);
            inside = oracle_cap(inside, cap);
        }
        _ => {}
    }
    inside.extend(oracle_cap(outside, cap));
    inside
}

/// The definition, word by word, on content alone, with sets of sets and no index.
fn oracle(world: &Neighbourhood, given: &IdentityRules) -> BTreeMap<String, BTreeSet<String>> {
    let live = |node: &u32| world.nodes[*node as usize].is_live();
    let of = |node: u32| (*world.nodes[node as usize].identifier).clone();
    let usual = ["user_id", "external", "email", "phone"].map(str::to_owned);
    let mut order = given.priority.clone();
    order.extend(
        usual
            .into_iter()
            .filter(|kind| !given.priority.contains(kind)),
    );
    let strength = |one: &Identifier| {
        let exact = one.kind.to_string();
        let general = exact.split(':').next().unwrap().to_owned();
        let position = |wanted: &str| order.iter().position(|kind| kind == wanted);
        position(&exact).or_else(|| position(&general)).unwrap() + 1
    };
    let mut edges: Vec<OracleEdge> = Vec::new();
    let mut anchors = Vec::new();
    for piece in &world.evidence {
        let mut nodes: Vec<Identifier> = piece.nodes.iter().copied().filter(live).map(of).collect();
        nodes.sort_by_key(|one| (strength(one), one.clone()));
        nodes.dedup();
        let Some(anchor) = nodes.first().cloned() else {
            continue;
        };
        anchors.push((piece.first_seen, piece.message.to_string(), anchor.clone()));
        let source = piece.message.split('/').next().unwrap();
        let trust = given
            .trust
            .iter()
            .find(|(name, _)| name == source)
            .map(|(_, trust)| *trust);
        if trust == Some(Trust::None) {
            continue;
        }
        for other in &nodes[1..] {
            let (a, b) = (anchor.clone(), other.clone());
            edges.push((
                (trust == Some(Trust::Late), strength(other)),
                piece.first_seen,
                a,
                b,
                piece.message.to_string(),
            ));
        }
    }
    let mut forbidden = Vec::new();
    for statement in &world.statements {
        if !live(&statement.left) || !live(&statement.right) {
            continue;
        }
        let mut ends = [of(statement.left), of(statement.right)];
        ends.sort_by_key(|one| (strength(one), one.clone()));
        let [a, b] = ends;
        match statement.kind {
            StatementKind::MustLink => {
                edges.push(((false, 0), Timestamp(i64::MIN), a, b, String::new()));
            }
            StatementKind::MustNotLink => forbidden.push((a, b)),
        }
    }
    let limits = &given.limits;
    let mut edges = oracle_cap(edges, given.component_cap as usize);
    edges.sort_by_key(|(strong, time, a, b, message)| {
        let end = |one: &Identifier| (strength(one), one.clone());
        (*strong, *time, end(a), end(b), message.clone())
    });
    let mut sets: Vec<BTreeSet<Identifier>> = world
        .nodes
        .iter()
        .filter(|node| node.is_live())
        .map(|node| BTreeSet::from([(*node.identifier).clone()]))
        .collect();
    for (_, _, a, b, _) in edges {
        let left = sets.iter().position(|set| set.contains(&a)).unwrap();
        let right = sets.iter().position(|set| set.contains(&b)).unwrap();
        if left == right {
            continue;
        }
        let both: BTreeSet<Identifier> = sets[left].union(&sets[right]).cloned().collect();
        let too_many = limits.iter().any(|(kind, limit)| {
            both.iter()
                .filter(|identifier| identifier.kind.to_string() == **kind)
                .count()
                > *limit as usize
        });
        if too_many
            || forbidden
                .iter()
                .any(|(a, b)| a != b && both.contains(a) && both.contains(b))
        {
            continue;
        }
        sets[left] = both;
        sets.remove(right);
    }
    anchors.sort();
    let mut people = BTreeMap::new();
    for set in sets {
        if let Some((_, message, _)) = anchors.iter().find(|(_, _, anchor)| set.contains(anchor)) {
            let id = Uuid::new_v5(&rules().namespace, message.as_bytes()).to_string();
            people.insert(
                id,
                set.iter()
                    .map(|identifier| format!("{identifier:?}"))
                    .collect(),
            );
        }
    }
    people
}

const NAMES: [&str; 14] = [
    "u1",
    "u2",
    "u3",
    "x1",
    "x2",
    "x3",
    "e1",
    "e2",
    "e3",
    "e4",
    "p1",
    "p2",
    "p3",
    "external:web:1",
];
const RULE_SETS: u8 = 18;

/// Rules of every kind, by a number below `RULE_SETS`.
fn rule_set(number: u8) -> IdentityRules {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let limits: &[(&str, u32)] = &[("user_id", 1), ("email", 2)];
    IdentityRules {
        limits: limits
            .iter()
            .map(|(kind, limit)| ((*kind).to_owned(), *limit))
            .collect(),
        priority: match number % 3 {
            0 => Vec::new(),
            1 => names(&["email", "external:web"]),
            _ => names(&["phone", "external", "user_id"]),
        },
        trust: match number / 3 % 2 {
            0 => Vec::new(),
            _ => vec![("b".to_owned(), Trust::Late), ("c".to_owned(), Trust::None)],
        },
        component_cap: [1_000, 3, 5][usize::from(number / 6)],
        ..IdentityRules::default()
    }
}

/// Of the first of these names are two people only where the given names are others. An `m` may be either of two.
const NAMED: [Option<&str>; 6] = [
    None,
    Some("anna|nowak"),
    Some("marek|nowak"),
    Some("m|nowak"),
    Some("anna|"),
    Some("michal|nowak"),
];

fn are_others(left: &str, right: &str) -> bool {
    let pair = [left, right].map(|name| name.split('|').next().unwrap());
    pair[0] != pair[1]
        && !pair.iter().all(|name| ["m", "marek"].contains(name))
        && !pair.iter().all(|name| ["m", "michal"].contains(name))
}

/// The largest number of these names no two of which may be one person's.
fn people_of(names: &[&str]) -> usize {
    let sets = (0..1u32 << names.len()).map(|set| {
        let chosen = names
            .iter()
            .enumerate()
            .filter(|(at, _)| set & (1 << at) != 0);
        chosen.map(|(_, name)| *name).collect::<Vec<_>>()
    });
    let fit = |set: &Vec<&str>| {
        let others =
            |(at, one): (usize, &&str)| set[..at].iter().all(|other| are_others(one, other));
        set.iter().enumerate().all(others)
    };
    sets.filter(fit).map(|set| set.len()).max().unwrap()
}

fn worlds() -> impl Strategy<Value = Neighbourhood> {
    let evidence = prop::collection::vec(
        (prop::collection::vec(0..NAMES.len() as u32, 1..4), 0..4i64),
        0..14,
    );
    let marks = prop::collection::vec(0..12u8, NAMES.len());
    let statement = (any::<bool>(), 0..NAMES.len() as u32, 0..NAMES.len() as u32);
    (evidence, marks, prop::collection::vec(statement, 0..5)).prop_map(
        |(evidence, marks, statements)| Neighbourhood {
            nodes: NAMES
                .iter()
                .zip(marks)
                .map(|(name, mark)| Node {
                    identifier: identifier(name).into(),
                    shared: mark == 0,
                    blocked: mark == 1,
                })
                .collect(),
            evidence: evidence
                .into_iter()
                .zip(0..)
                .map(|((nodes, time), index)| {
                    let first_seen = if time == 3 {
                        Timestamp::MAX
                    } else {
                        Timestamp(time)
                    };
                    // Not in the order of arrival.
                    let source = ["a", "a", "b", "c"][index % 4];
                    Evidence {
                        nodes,
                        first_seen,
                        message: format!("{source}/a/{}", index * 7 % 16).into(),
                        name: NAMED[index / 2 % NAMED.len()].map(Into::into),
                    }
                })
                .collect(),
            statements: statements
                .into_iter()
                .map(|(must, left, right)| {
                    let kind = if must {
                        StatementKind::MustLink
                    } else {
                        StatementKind::MustNotLink
                    };
                    Statement { kind, left, right }
                })
                .collect(),
        },
    )
}

/// The same content under other numbers, with `nodes` in the order given by `keys`.
fn renumbered(world: &Neighbourhood, keys: &[u32]) -> Neighbourhood {
    let key = |index: usize| {
        keys[index % keys.len()]
            .wrapping_mul(2_654_435_761)
            .wrapping_add((index as u32).wrapping_mul(keys[0] | 1))
    };
    let shuffle = |length: usize| {
        let mut order: Vec<usize> = (0..length).collect();
        order.sort_by_key(|&index| key(index));
        order
    };
    let order = shuffle(world.nodes.len());
    let mut new = vec![0; order.len()];
    for (to, &from) in order.iter().enumerate() {
        new[from] = to as u32;
    }
    let evidence = shuffle(world.evidence.len()).into_iter().map(|index| {
        let mut piece = world.evidence[index].clone();
        piece.nodes = piece
            .nodes
            .iter()
            .rev()
            .map(|&node| new[node as usize])
            .collect();
        // A repeat within a set says nothing new.
        piece.nodes.extend_from_within(..1);
        piece
    });
    let statements = shuffle(world.statements.len()).into_iter().map(|index| {
        let Statement { kind, left, right } = world.statements[index];
        Statement {
            kind,
            left: new[right as usize],
            right: new[left as usize],
        }
    });
    Neighbourhood {
        evidence: evidence.collect(),
        statements: statements.collect(),
        nodes: order
            .iter()
            .map(|&index| world.nodes[index].clone())
            .collect(),
    }
}

/// The nodes of one component with everything that touches no other.
fn part(
    world: &Neighbourhood,
    rules: &Rules,
    component: &[u32],
    wanted: &BTreeSet<u32>,
) -> Neighbourhood {
    let mut new = BTreeMap::new();
    let mut part = Neighbourhood::default();
    for (index, label) in component.iter().enumerate() {
        if wanted.contains(label) {
            new.insert(index as u32, part.nodes.len() as u32);
            part.nodes.push(world.nodes[index].clone());
        }
    }
    for piece in &world.evidence {
        let nodes: Vec<u32> = piece
            .nodes
            .iter()
            .filter_map(|node| new.get(node).copied())
            .collect();
        // Dead nodes may be missing from a part: they say nothing.
        if anchor(&world.nodes, piece, rules).is_some_and(|node| new.contains_key(&node)) {
            part.evidence.push(Evidence {
                nodes,
                ..piece.clone()
            });
        }
    }
    for statement in &world.statements {
        if let (Some(&left), Some(&right)) = (new.get(&statement.left), new.get(&statement.right)) {
            part.statements.push(Statement {
                left,
                right,
                ..*statement
            });
        }
    }
    part
}

#[test]
fn the_way_between_two_tells_what_joined_them_or_what_kept_them_apart() {
    let evidence: &[(&[&str], i64, &str)] = &[
        (&["x1", "e1"], 1, "a/a/1"),
        (&["u1", "e1"], 2, "a/a/2"),
        (&["u2", "p1"], 3, "a/a/3"),
        (&["x1", "p1"], 4, "a/a/4"),
        (&["x3", "e3"], 5, "a/a/5"),
    ];
    let world = world(evidence);
    let resolution = resolve(&world, &rules());
    let steps = |from: &str, to: &str| {
        way(&resolution, node(&world, from), node(&world, to)).map(|steps| {
            let message = |step: &Step| step.edge.evidence.map(|piece| evidence[piece as usize].2);
            let steps = steps.iter();
            steps
                .map(|step| (message(step).unwrap(), step.refused.is_some()))
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(
        steps("u1", "x1"),
        Some(vec![("a/a/2", false), ("a/a/1", false)])
    );
    assert_eq!(
        steps("u1", "u2"),
        Some(vec![
            ("a/a/2", false),
            ("a/a/1", false),
            ("a/a/4", true),
            ("a/a/3", false)
        ])
    );
    assert_eq!(steps("u1", "u1"), Some(vec![]));
    assert_eq!(steps("u1", "e3"), None);
}

mod properties {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn i1_the_answer_is_the_oracles(world in worlds(), set in 0..RULE_SETS) {
            let rules = Rules::new(&rule_set(set), "acme");
            let (people, nodes, _) = content(&world, &resolve(&world, &rules));
            let expected = oracle(&world, &rule_set(set));
            let found: BTreeMap<_, _> = people.iter().map(|(id, (nodes, _))| (id.clone(), nodes.clone())).collect();
            prop_assert_eq!(&found, &expected);
            for (node, person) in nodes {
                let owner = expected.iter().find(|(_, nodes)| nodes.contains(&node)).map(|(id, _)| id.clone());
                prop_assert_eq!(person, owner);
            }
        }

        #[test]
        fn i1_numbers_and_order_and_repeats_change_nothing(world in worlds(), set in 0..RULE_SETS, keys in prop::collection::vec(any::<u32>(), 8)) {
            let rules = Rules::new(&rule_set(set), "acme");
            let other = renumbered(&world, &keys);
            prop_assert_eq!(content(&world, &resolve(&world, &rules)), content(&other, &resolve(&other, &rules)));
        }

        #[test]
        fn i2_components_resolved_in_any_grouping_give_the_whole(world in worlds(), set in 0..RULE_SETS, grouping in any::<u32>()) {
            let rules = Rules::new(&rule_set(set), "acme");
            let component = components(&world, &rules);
            let groups: BTreeSet<u32> = component.iter().copied().collect();
            let (left, right): (BTreeSet<u32>, BTreeSet<u32>) = groups.iter().partition(|label| grouping >> (*label % 32) & 1 == 0);
            let mut parts: Vec<BTreeSet<u32>> = vec![left, right];
            parts.extend(groups.iter().map(|label| BTreeSet::from([*label])));
            let (whole, _, whole_edges) = content(&world, &resolve(&world, &rules));
            for (parts, name) in [(&parts[..2], "two"), (&parts[2..], "each")] {
                let mut people = BTreeMap::new();
                let mut edges = BTreeSet::new();
                for wanted in parts {
                    let part = part(&world, &rules, &component, wanted);
                    let (some, _, some_edges) = content(&part, &resolve(&part, &rules));
                    people.extend(some);
                    edges.extend(some_edges);
                }
                prop_assert_eq!(&people, &whole, "{}", name);
                prop_assert_eq!(&edges, &whole_edges, "{}", name);
            }
        }

        #[test]
        fn i4_nobody_breaks_a_limit_or_holds_a_forbidden_pair(world in worlds(), set in 0..RULE_SETS) {
            let given = rule_set(set);
            let resolution = resolve(&world, &Rules::new(&given, "acme"));
            for person in &resolution.people {
                for (kind, limit) in &given.limits {
                    let count = person.nodes.iter().filter(|&&node| world.nodes[node as usize].identifier.kind.to_string() == *kind).count();
                    prop_assert!(count <= *limit as usize);
                }
                for Statement { kind, left, right } in &world.statements {
                    let holds_pair = left != right && person.nodes.contains(left) && person.nodes.contains(right);
                    prop_assert!(*kind == StatementKind::MustLink || !holds_pair);
                }
                prop_assert_eq!(person.joined.len() + 1, person.nodes.len());
                for &node in &person.nodes {
                    let steps = way(&resolution, person.nodes[0], node);
                    prop_assert!(steps.is_some_and(|steps| steps.iter().all(|step| step.refused.is_none())));
                }
            }
            let ids: BTreeSet<_> = resolution.people.iter().map(|person| person.id).collect();
            prop_assert_eq!(ids.len(), resolution.people.len());
        }

        #[test]
        fn shared_is_the_definition(world in worlds(), above in 0..3u32) {
            let rules = Rules::new(&IdentityRules { shared_above: above, ..IdentityRules::default() }, "acme");
            let found = shared(&world.nodes, &world.evidence, &rules);
            for (node, found) in (0u32..).zip(found) {
                let with: Vec<&Evidence> = world.evidence.iter().filter(|piece| piece.nodes.contains(&node)).collect();
                let mut seen: BTreeMap<String, BTreeMap<u32, BTreeSet<String>>> = BTreeMap::new();
                for piece in &with {
                    for &other in &piece.nodes {
                        let Node { identifier, blocked, .. } = &world.nodes[other as usize];
                        if rules.is_strong(&identifier.kind) && !blocked {
                            let names = seen.entry(identifier.kind.to_string()).or_default().entry(other).or_default();
                            names.extend(piece.name.as_deref().map(str::to_owned));
                        }
                    }
                }
                let people = |ids: &BTreeMap<u32, BTreeSet<String>>| {
                    let names: BTreeSet<&str> = ids.values().flatten().map(String::as_str).collect();
                    people_of(&Vec::from_iter(names)) + ids.values().filter(|names| names.is_empty()).count()
                };
                let kind = &world.nodes[node as usize].identifier.kind;
                let many = |ids: &BTreeMap<u32, BTreeSet<String>>| ids.len().min(people(ids)) > above as usize;
                let emails = |piece: &Evidence| -> BTreeSet<u32> {
                    let nodes = piece.nodes.iter().copied();
                    nodes.filter(|at| world.nodes[*at as usize].identifier.kind == IdentifierKind::Email && !world.nodes[*at as usize].blocked).collect()
                };
                let part = with.iter().any(|one| with.iter().any(|other| {
                    let names = one.name.as_deref().zip(other.name.as_deref());
                    names.is_some_and(|(one, other)| are_others(one, other)) && emails(one).is_disjoint(&emails(other))
                }));
                let expected = !rules.is_strong(kind) && (seen.values().any(many) || *kind != IdentifierKind::Email && part);
                prop_assert_eq!(found, expected);
            }
        }
    }
}
