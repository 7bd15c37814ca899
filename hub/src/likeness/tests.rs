//! What likeness promises: levels, correct estimates, pairs that do not depend on order, and reasons without values.

use super::compare::{Pattern, compare, one_slip};
use super::letters::{letters, sound};
use super::mixture::{Counted, Kind, Mixture};
use super::people::mix;
use super::*;
use proptest::prelude::*;

/// The level of one comparison between two records.
fn level(comparison: Comparison, left: &Record, right: &Record) -> Level {
    let mut people = People::default();
    people.add(&Record {
        id: 1,
        ..left.clone()
    });
    people.add(&Record {
        id: 2,
        ..right.clone()
    });
    let there = compare(&people, 0, 1).level(comparison);
    assert_eq!(there, compare(&people, 1, 0).level(comparison));
    assert!(there == Level::Missing || comparison.levels().contains(&there));
    there
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn named(given_name: &str, surname: &str) -> Record {
    Record {
        given_name: some(given_name),
        surname: some(surname),
        ..Record::default()
    }
}

fn surnames(left: &str, right: &str) -> Level {
    level(Comparison::Surname, &named("", left), &named("", right))
}

fn given_names(left: &str, right: &str) -> Level {
    level(Comparison::GivenName, &named(left, ""), &named(right, ""))
}

#[test]
fn names_agree_on_the_levels_of_their_jaro_winkler_similarity() {
    // The published examples: 0.961, 0.840, 0.813.
    assert_eq!(surnames("Martha", "Marhta"), Level::Close);
    assert_eq!(surnames("Dwayne", "Duane"), Level::Similar);
    assert_eq!(surnames("Dixon", "Dicksonx"), Level::Different);
    assert_eq!(
        surnames("Müller-Lüdenscheidt", "muller ludenscheidt"),
        Level::Exact
    );
    assert_eq!(surnames("Smith", ""), Level::Missing);
    assert_eq!(surnames("Smith", "Nguyen"), Level::Different);
}

#[test]
fn a_slip_is_one_letter_changed_left_out_added_or_swapped_with_its_neighbour() {
    for (left, right) in [
        ("4215", "4251"),
        ("4215", "421"),
        ("4215", "42156"),
        ("4215", "4216"),
        ("łódź", "łódz"),
        ("abc", "abc"),
    ] {
        assert!(
            one_slip(left, right) && one_slip(right, left),
            "{left} {right}"
        );
    }
    for (left, right) in [
        ("4215", "5214"),
        ("4215", "42"),
        ("12", "13"),
        ("4215", "4126"),
        ("abcd", "badc"),
    ] {
        assert!(
            !one_slip(left, right) && !one_slip(right, left),
            "{left} {right}"
        );
    }
}

#[test]
fn short_forms_and_initials_are_forms_of_one_name() {
    assert_eq!(given_names("Bill", "William"), Level::Form);
    assert_eq!(given_names("Peggy", "Meg"), Level::Form);
    assert_eq!(given_names("J.", "Johanna"), Level::Form);
    assert_eq!(given_names("Alex", "Alexandra"), Level::Form);
    assert_eq!(given_names("Bill", "Robert"), Level::Different);
    assert_eq!(surnames("Bill", "William"), Level::Different);
}

#[test]
fn one_of_several_names_is_a_part() {
    assert_eq!(surnames("Müller-Lüdenscheidt", "Lüdenscheidt"), Level::Part);
    assert_eq!(surnames("Taylor Cox", "Cox"), Level::Part);
    assert_eq!(surnames("van Dijk", "van der Berg"), Level::Different);
    assert_eq!(given_names("Agnes Maria", "Maria"), Level::Part);
    assert_eq!(given_names("James William", "Bill"), Level::Form);
}

#[test]
fn what_two_names_have_in_common_does_not_make_them_one() {
    for (left, right) in [
        ("Agnes Maria", "Maria Ruth"),
        ("Jean-Paul", "Jean-Pierre"),
        ("John A.", "Anna"),
        ("Joy", "Joseph"),
        ("Joe", "Jo"),
        ("Mae", "Ma"),
    ] {
        let level = given_names(left, right);
        assert!(
            matches!(level, Level::Similar | Level::Different),
            "{left}, {right}: {level:?}"
        );
    }
    assert_eq!(given_names("John A.", "John Adam"), Level::Form);
    assert!(!may_be_one_given_name("joy", "joseph"));
}

#[test]
fn a_name_is_one_in_every_alphabet_and_spelling() {
    for (left, right) in [
        ("Müller", "Mueller"),
        ("Łuczak", "Luczak"),
        ("Groß", "Gross"),
        ("Sørensen", "Soerensen"),
        ("Шевченко", "Shevchenko"),
        ("Ђорђевић", "Đorđević"),
    ] {
        assert_eq!(surnames(left, right), Level::Exact, "{left} {right}");
    }
    assert_eq!(letters("Bauer"), "bauer");
    assert_eq!(letters("Michael"), letters("Michał"));
    // As transliterated by another table.
    assert_eq!(surnames("Чайковський", "Tschaikowski"), Level::Similar);
    assert_eq!(sound("tchaikovskii"), sound("czajkowski"));
    assert_ne!(sound("nowak"), sound("novotny"));
    assert_eq!(
        given_names("Michał", "Michalek"),
        given_names("Michael", "Michalek")
    );
}

#[test]
fn names_in_each_others_place_are_counted_once() {
    let (one, other) = (named("Harley", "McCarthy"), named("Mccarthy", "Harly"));
    assert_eq!(level(Comparison::GivenName, &one, &other), Level::Swapped);
    assert_eq!(level(Comparison::Surname, &one, &other), Level::Missing);
    // A name that is both says nothing about places.
    let (one, other) = (named("James", "James"), named("James", "Blake"));
    assert_eq!(level(Comparison::GivenName, &one, &other), Level::Exact);
    assert_eq!(level(Comparison::Surname, &one, &other), Level::Different);
}

#[test]
fn dates_agree_by_slips_swapped_parts_and_parts() {
    let born = |date: &str| Record {
        birth_date: some(date),
        ..Record::default()
    };
    let dates = |left, right| level(Comparison::BirthDate, &born(left), &born(right));
    assert_eq!(dates("1984-02-29", "19840229"), Level::Exact);
    assert_eq!(dates("1984-02-09", "1984-09-02"), Level::Swapped);
    assert_eq!(dates("1984-02-29", "1984-02-28"), Level::Close);
    assert_eq!(dates("1984-02-29", "1971-02-29"), Level::Part);
    assert_eq!(dates("1984-02-29", "1971-02-28"), Level::Different);
}

#[test]
fn dates_are_read_in_other_orders_and_agree_as_far_as_they_are_known() {
    let born = |date: &str| Record {
        birth_date: some(date),
        ..Record::default()
    };
    let dates = |left, right| level(Comparison::BirthDate, &born(left), &born(right));
    for other in [
        "29.2.1984",
        "29/02/1984",
        "29021984",
        "1984-02-29T00:00:00Z",
    ] {
        assert_eq!(dates("1984-02-29", other), Level::Exact, "{other}");
    }
    assert_eq!(dates("1984-02-29", "84-02-29"), Level::Close);
    assert_eq!(dates("1984-02-29", "29.02.84"), Level::Close);
    assert_eq!(dates("1984-02-29", "1984-02-00"), Level::Part);
    assert_eq!(dates("1984-02-29", "1984"), Level::Year);
    assert_eq!(dates("1984-00-00", "1984"), Level::Year);
    assert_eq!(dates("1984-02-29", "1985"), Level::Different);
    assert_eq!(dates("1984-02-29", "0000-00-00"), Level::Missing);
    // There is no such day, so only the year is believed.
    assert_eq!(dates("1984-05-14", "1984-02-31"), Level::Year);
    assert_eq!(dates("1984-05-14", "1984-14-05"), Level::Swapped);
}

#[test]
fn addresses_agree_as_places_and_lines() {
    let at = |postcode: &str, city: &str, state: &str| Record {
        postcode: some(postcode),
        city: some(city),
        state: some(state),
        ..Record::default()
    };
    let places = |left, right| level(Comparison::Place, &left, &right);
    let home = || at("2250", "Winston Hills", "nsw");
    assert_eq!(places(home(), at("2250", "winstonhills", "")), Level::Exact);
    assert_eq!(
        places(home(), at("2520", "winston hills", "")),
        Level::Close
    );
    assert_eq!(places(home(), at("9999", "winston hills", "")), Level::Part);
    assert_eq!(
        places(home(), at("2520", "winston hill", "")),
        Level::Similar
    );
    assert_eq!(places(home(), at("4000", "Dapto", "nsw")), Level::State);
    assert_eq!(places(home(), at("4000", "Dapto", "qld")), Level::Different);
    assert_eq!(places(home(), at("", "", "")), Level::Missing);
    let lines = |street: &str, line: &str| Record {
        street: some(street),
        address_line: some(line),
        ..Record::default()
    };
    let (one, other) = (
        lines("Light Street", "Pine Hill"),
        lines("Pinehill", "Lightstreet"),
    );
    assert_eq!(level(Comparison::Street, &one, &other), Level::Swapped);
    assert_eq!(level(Comparison::AddressLine, &one, &other), Level::Missing);
}

#[test]
fn phones_agree_without_their_country_and_addresses_at_another_provider() {
    let reached = |phone: &str, email: &str| Record {
        phone: some(phone),
        email: some(email),
        ..Record::default()
    };
    let phones = |left, right| level(Comparison::Phone, &reached(left, ""), &reached(right, ""));
    assert_eq!(phones("+48 601 234 567", "48601234567"), Level::Exact);
    assert_eq!(phones("+48 601 234 567", "601-234-567"), Level::Close);
    assert_eq!(phones("+48 601 234 567", "601 234 999"), Level::Different);
    let emails = |left, right| level(Comparison::Email, &reached("", left), &reached("", right));
    assert_eq!(
        emails("Ann.Lee@example.com", "ann.lee@example.com"),
        Level::Exact
    );
    assert_eq!(
        emails("ann.lee@example.com", "ann.lee@example.co"),
        Level::Close
    );
    assert_eq!(
        emails("ann.lee@example.com", "ann.lee@mail.test"),
        Level::Part
    );
    assert_eq!(
        emails("ann.lee@example.com", "bob@example.com"),
        Level::Different
    );
}

/// Every combination of levels of three comparisons, as often as the parameters say.
fn counted(prior: f64, one: &[[f64; 3]; 3], two: &[[f64; 3]; 3]) -> Counted {
    const COMPARED: [Comparison; 3] = [
        Comparison::HouseNumber,
        Comparison::Phone,
        Comparison::NationalId,
    ];
    const ALL: f64 = 1e9;
    let mut counted = Counted {
        pairs: ALL,
        present: [0.0; 12],
        exact: [0.0; 12],
        candidates: Vec::new(),
        random: Vec::new(),
    };
    for levels in (0..27).map(|code| [code / 9, code / 3 % 3, code % 3]) {
        let product =
            |shares: &[[f64; 3]; 3]| (0..3).map(|c| shares[c][levels[c]]).product::<f64>();
        let share = prior * product(one) + (1.0 - prior) * product(two);
        let pattern = Pattern::of((0..3).map(|c| (COMPARED[c], COMPARED[c].levels()[levels[c]])));
        for (comparison, level) in COMPARED.iter().zip(levels) {
            counted.present[*comparison as usize] += share * ALL;
            counted.exact[*comparison as usize] += if level == 0 { share * ALL } else { 0.0 };
        }
        let kind = Kind {
            pattern,
            rarity: 0,
            shared: [0; 2],
        };
        counted
            .candidates
            .push((kind, (share * ALL).round() as u64));
        counted.random.push((kind, (share * 1e6).round() as u64));
    }
    counted
}

#[test]
fn estimation_finds_the_parameters_that_made_the_pairs() {
    let prior = 2e-4;
    let one = [[0.90, 0.04, 0.06], [0.70, 0.20, 0.10], [0.95, 0.02, 0.03]];
    let two = [
        [0.01, 0.02, 0.97],
        [0.001, 0.004, 0.995],
        [0.0005, 0.002, 0.9975],
    ];
    let mixture = Mixture::fit(&counted(prior, &one, &two), 20_000);
    assert!(
        (mixture.prior / prior - 1.0).abs() < 0.01,
        "{}",
        mixture.prior
    );
    let compared = [
        Comparison::HouseNumber,
        Comparison::Phone,
        Comparison::NationalId,
    ];
    for (c, comparison) in compared.into_iter().enumerate() {
        for (l, &level) in comparison.levels().iter().enumerate() {
            let of = |shares: &mixture::Shares| shares[comparison as usize][level as usize];
            let (found_one, found_two) = (of(&mixture.one), of(&mixture.two));
            // What is believed beforehand moves them a little.
            assert!(
                (found_one - one[c][l]).abs() < 0.02,
                "{comparison:?} {level:?} {found_one}"
            );
            assert!(
                (found_two / two[c][l] - 1.0).abs() < 0.05,
                "{comparison:?} {level:?} {found_two}"
            );
        }
    }
}

/// A number below `below`, from a seed, a place in the town and a purpose.
fn pick(seed: u64, place: u64, purpose: u64, below: u64) -> u64 {
    mix(mix(seed, place), purpose) % below
}

const SYLLABLES: [&str; 16] = [
    "bar", "con", "dor", "fel", "gam", "hul", "jin", "kor", "lem", "mos", "nev", "pol", "rus",
    "sti", "tav", "wer",
];

fn word(number: u64, syllables: u32) -> String {
    (0..syllables)
        .map(|at| SYLLABLES[(number >> (4 * at) & 15) as usize])
        .collect()
}

/// So many people, of whom the first `twice` are there a second time with a slip here and there. The second record of
/// person `n` has the id `1_000_000 + n`.
fn town(seed: u64, people: u64, twice: u64) -> Vec<Record> {
    let mut records = Vec::new();
    for (copy, count) in [(0, people), (1, twice)] {
        for person in 0..count {
            let of = |purpose, below| pick(seed, person, purpose, below);
            let mut record = Record {
                id: copy * 1_000_000 + person,
                given_name: Some(word(of(1, 60).pow(2) / 60, 2)),
                surname: Some(word(of(2, 300), 3)),
                birth_date: Some(format!(
                    "19{:02}{:02}{:02}",
                    of(3, 90) + 10,
                    of(4, 12) + 1,
                    of(5, 28) + 1
                )),
                house_number: Some(of(6, 200).to_string()),
                street: Some(word(of(7, 400), 3)),
                city: Some(word(of(8, 50), 4)),
                postcode: Some((1000 + of(8, 50)).to_string()),
                ..Record::default()
            };
            let slips = [
                &mut record.given_name,
                &mut record.surname,
                &mut record.street,
                &mut record.birth_date,
            ];
            for (text, purpose) in slips.into_iter().zip(20..) {
                match (copy, of(purpose, 8)) {
                    (1, 0) => *text = None,
                    (1, 1) => {
                        text.as_mut().map(|text| text.remove(3));
                    }
                    _ => {}
                }
            }
            records.push(record);
        }
    }
    records
}

fn gather<'a>(records: impl IntoIterator<Item = &'a Record>) -> People {
    let mut people = People::default();
    for record in records {
        people.add(record);
    }
    people
}

fn ids(suggestions: &Suggestions, standing: Standing) -> Vec<(u64, u64)> {
    let pairs = suggestions
        .pairs
        .iter()
        .filter(|pair| pair.standing == standing);
    pairs.map(|pair| (pair.left, pair.right)).collect()
}

#[test]
fn a_town_with_second_records_is_put_in_order() {
    let people = gather(&town(1, 2_000, 400));
    let options = Options::default();
    let model = estimate(&people, &options).unwrap();
    let expected = model.prior * 2_400.0 * 2_399.0 / 2.0;
    assert!(
        (380.0..420.0).contains(&expected),
        "{expected} pairs of one person"
    );
    let found = suggest(&people, &model, &options);
    let right = found
        .pairs
        .iter()
        .filter(|pair| pair.right == pair.left + 1_000_000)
        .count();
    assert!(right >= 390, "{right} of 400");
    assert!(
        found.pairs.len() - right <= 2,
        "{} wrong",
        found.pairs.len() - right
    );
    let automatic = ids(&found, Standing::Automatic);
    assert!(automatic.len() >= 300, "{} automatic", automatic.len());
    assert!(
        automatic
            .iter()
            .all(|(left, right)| *right == left + 1_000_000)
    );
}

#[test]
fn a_frequent_name_is_worth_less_than_a_rare_one() {
    let mut records = town(2, 1_000, 200);
    for record in records.iter_mut().filter(|record| record.id % 10 == 3) {
        record.surname = some("Smith");
    }
    let extra = |id, surname: &str| Record {
        id,
        ..named("Zenobia", surname)
    };
    records.extend([extra(7_000_000, "Smith"), extra(7_000_001, "Smith")]);
    records.extend([extra(7_000_002, "Quixley"), extra(7_000_003, "Quixley")]);
    let people = gather(&records);
    let model = estimate(&people, &Options::default()).unwrap();
    let bits = |one, other| {
        let explanation = explain(&people, &model, one, other).unwrap();
        explanation
            .steps
            .iter()
            .find(|step| step.comparison == Comparison::Surname)
            .unwrap()
            .bits
    };
    let (common, rare) = (bits(7_000_000, 7_000_001), bits(7_000_002, 7_000_003));
    // One of ten, against less than one of a hundred.
    assert!((2.0..4.5).contains(&common), "{common}");
    assert!(rare > common + 3.0, "{rare} {common}");
}

#[test]
fn people_of_one_name_are_not_one_person_for_being_many() {
    // Half of the town has names of its own: two of them who share one name share both.
    let mut records = town(9, 4_000, 400);
    for record in &mut records {
        let group = record.id % 1_000_000 % 400;
        if group < 200 {
            record.given_name = Some(word(mix(group, 1), 3));
            record.surname = Some(word(mix(group, 2), 4));
        }
        (record.street, record.house_number) = (None, None);
        (record.city, record.postcode) = (None, None);
    }
    let people = gather(&records);
    let model = estimate(&people, &Options::default()).unwrap();
    let found = suggest(&people, &model, &Options::default());
    let is_right = |pair: &&Pair| pair.right == pair.left + 1_000_000;
    let right = found.pairs.iter().filter(is_right).count();
    assert!(right >= 300, "{right} of 400");
    let wrong = found.pairs.len() - right;
    // Of some 11,000 pairs of one name.
    assert!(wrong <= 30, "{wrong} wrong");
}

#[test]
fn what_cannot_carry_a_model_is_refused() {
    let refused = |records: &[Record]| estimate(&gather(records), &Options::default()).unwrap_err();
    assert_eq!(
        refused(&town(3, 150, 40)),
        Refusal::TooFewPeople {
            found: 190,
            needed: 200
        }
    );
    assert!(matches!(
        refused(&town(3, 1_000, 5)),
        Refusal::TooFewPairs { needed: 30, .. }
    ));
    let names: Vec<Record> = town(3, 1_000, 300)
        .into_iter()
        .map(
            |Record {
                 id,
                 given_name,
                 surname,
                 ..
             }| Record {
                id,
                given_name,
                surname,
                ..Record::default()
            },
        )
        .collect();
    assert_eq!(
        refused(&names),
        Refusal::TooFewComparisons {
            found: 2,
            needed: 3
        }
    );
}

#[test]
fn a_block_above_the_cap_is_reported_and_not_compared() {
    let mut records = town(4, 600, 100);
    for record in &mut records {
        record.phone = some("0800 123 4567");
    }
    let people = gather(&records);
    let model = estimate(&people, &Options::default()).unwrap();
    let found = suggest(&people, &model, &Options::default());
    let phone = Skipped {
        key: "phone",
        people: 700,
    };
    assert!(found.skipped.contains(&phone), "{:?}", found.skipped);
    // With a cap that nothing passes, everybody is in a block that is too large.
    let tight = Options {
        block_cap: 1,
        ..Options::default()
    };
    let nothing = suggest(&people, &model, &tight);
    assert_eq!(nothing.pairs, []);
    assert!(nothing.skipped.len() > found.skipped.len());
}

/// A model, and three records of one person in addition to the town.
fn three(change: impl Fn(u64, &mut Record)) -> Suggestions {
    let mut records = town(5, 2_000, 400);
    for record in &mut records {
        record.email = Some(format!("p{}@example.com", record.id % 1_000_000));
    }
    for id in 5_000_000..5_000_003 {
        let mut record = Record {
            id,
            email: some("zoe@example.com"),
            ..town(99, 1, 0).remove(0)
        };
        change(id - 5_000_000, &mut record);
        records.push(record);
    }
    let people = gather(&records);
    let model = estimate(&people, &Options::default()).unwrap();
    let mut found = suggest(&people, &model, &Options::default());
    found.pairs.retain(|pair| pair.left >= 5_000_000);
    found
}

#[test]
fn two_user_ids_are_never_linked_automatically_not_even_through_others() {
    let same = three(|_, record| record.user = Some(7));
    assert_eq!(ids(&same, Standing::Automatic).len(), 3);
    // The third has no user id and can be either's, but not both's.
    let apart = three(|number, record| record.user = [Some(7), Some(8), None][number as usize]);
    assert_eq!(ids(&apart, Standing::Automatic), [(5_000_000, 5_000_002)]);
    let doubted = [(5_000_000, 5_000_001), (5_000_001, 5_000_002)];
    assert_eq!(ids(&apart, Standing::Review(Doubt::TwoUsers)), doubted);
}

#[test]
fn somebody_of_a_list_has_one_counterpart_there() {
    let found = three(|number, record| {
        record.list = Some([1, 2, 2][number as usize]);
        if number == 1 {
            record.street = None;
        }
    });
    assert_eq!(ids(&found, Standing::Automatic), [(5_000_000, 5_000_002)]);
    assert_eq!((found.pairs.len(), found.outdone), (1, 1));
}

#[test]
fn twins_and_households_are_for_a_person_to_decide() {
    let twins = three(|number, record| {
        record.email = None;
        record.given_name = some(["Barnaby", "Zoe", "Iris"][number as usize]);
    });
    assert_eq!(ids(&twins, Standing::Automatic), []);
    assert_eq!(ids(&twins, Standing::Review(Doubt::Household)).len(), 3);
    let couple = three(|number, record| {
        record.given_name = some(["Barnaby", "Zoe", "Iris"][number as usize]);
        record.birth_date = None;
    });
    assert_eq!(ids(&couple, Standing::Automatic), []);
    assert_eq!(ids(&couple, Standing::Review(Doubt::Household)).len(), 3);
    let father_and_sons = three(|number, record| {
        record.birth_date = some(["19520227", "19811130", "19840615"][number as usize]);
    });
    assert_eq!(ids(&father_and_sons, Standing::Automatic), []);
    let nameless = three(|_, record| {
        (record.email, record.given_name, record.birth_date) = (None, None, None);
    });
    assert_eq!(ids(&nameless, Standing::Automatic), []);
}

#[test]
fn an_explanation_adds_up_and_holds_no_value() {
    let records = town(6, 800, 200);
    let people = gather(&records);
    let model = estimate(&people, &Options::default()).unwrap();
    let found = suggest(&people, &model, &Options::default());
    assert!(found.pairs.len() > 150);
    for pair in &found.pairs {
        let explanation = explain(&people, &model, pair.right, pair.left).unwrap();
        let bits = explanation.steps.iter().map(|step| step.bits).sum::<f64>();
        assert!((explanation.prior + bits - pair.weight).abs() < 1e-9);
        assert_eq!(
            (explanation.weight, explanation.probability),
            (pair.weight, pair.probability)
        );
        assert_eq!(explanation.steps, pair.steps);
        let words: Vec<&str> = explanation
            .steps
            .iter()
            .flat_map(|step| {
                [
                    step.comparison.words(),
                    step.comparison.level_words(step.level),
                ]
            })
            .collect();
        let said = format!("{explanation:?} {pair:?} {words:?}");
        for id in [pair.left, pair.right] {
            let record = records.iter().find(|record| record.id == id).unwrap();
            let texts = [
                &record.given_name,
                &record.surname,
                &record.birth_date,
                &record.street,
                &record.city,
            ];
            for text in texts.into_iter().flatten() {
                assert!(!said.contains(text.as_str()), "{text} in {said}");
            }
        }
    }
    assert_eq!(explain(&people, &model, 0, 999), None);
}

#[test]
fn a_model_can_be_stored_and_holds_no_value() {
    let records = town(7, 800, 200);
    let model = estimate(&gather(&records), &Options::default()).unwrap();
    let text = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<Model>(&text).unwrap(), model);
    assert_eq!(model.digest.len(), 32);
    let other = estimate(&gather(&town(8, 800, 200)), &Options::default()).unwrap();
    assert_ne!(model.digest, other.digest);
    for record in &records {
        for value in [&record.given_name, &record.surname, &record.street]
            .into_iter()
            .flatten()
        {
            assert!(!text.contains(value.as_str()), "{value}");
        }
    }
    assert!(
        model
            .comparisons
            .iter()
            .any(|weighed| !weighed.common.is_empty())
    );
}

mod properties {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        // I1
        #[test]
        fn order_and_repeats_change_nothing(seed: u64, order: u64, listed: bool) {
            let mut records = town(seed, 170, 60);
            for record in &mut records {
                record.user = (pick(seed, record.id, 30, 4) == 0).then_some(record.id % 9);
                record.list = listed.then_some(u32::from(record.id >= 1_000_000));
            }
            let options = Options { sample_pairs: 500, common_above: 4, ..Options::default() };
            let people = gather(&records);
            let model = estimate(&people, &options);
            let mut shuffled: Vec<&Record> = records.iter().chain(&records[..40]).collect();
            shuffled.sort_by_key(|record| mix(order, record.id));
            let other = gather(shuffled);
            prop_assert_eq!(&model, &estimate(&other, &options));
            if let Ok(model) = model {
                let found = suggest(&people, &model, &options);
                prop_assert!(!found.pairs.is_empty());
                prop_assert_eq!(found, suggest(&other, &model, &options));
            }
        }

        // I4: what automatic links make one has one user id at most.
        #[test]
        fn no_group_of_automatic_links_has_two_user_ids(seed: u64) {
            let mut records = town(seed, 120, 60);
            let third = records[120..].iter().map(|record| Record { id: record.id + 1_000_000, ..record.clone() });
            records.extend(third.collect::<Vec<_>>());
            for record in &mut records {
                record.user = (pick(seed, record.id, 30, 2) == 0).then_some(record.id % 3);
            }
            let options = Options { sample_pairs: 500, automatic: 0.6, ..Options::default() };
            let people = gather(&records);
            if let Ok(model) = estimate(&people, &options) {
                let automatic = ids(&suggest(&people, &model, &options), Standing::Automatic);
                let user = |id: u64| records.iter().find(|record| record.id == id).unwrap().user;
                // Nobody who is reachable from a user id has a different one.
                for start in records.iter().filter(|record| record.user.is_some()) {
                    let mut reached = vec![start.id];
                    let mut at = 0;
                    while let Some(&id) = reached.get(at) {
                        for &(left, right) in &automatic {
                            let next = if left == id { right } else if right == id { left } else { continue };
                            if !reached.contains(&next) {
                                reached.push(next);
                            }
                        }
                        at += 1;
                    }
                    for id in reached {
                        prop_assert!(user(id).is_none() || user(id) == start.user);
                    }
                }
            }
        }
    }
}
