//! People who look alike: suggested, decided, linked without asking, and taken back so that nothing of it is left.
//!
//! A shop knows 280 people, and 70 of them a second time with another customer number: the same name, birthday and street,
//! and no identifier in common. Ten more come twice with two logins that differ, so that nobody may link them without asking.

use super::transcripts;
use crate::hub::{Hub, State};
use crate::small::JANUARY_MS;
use onefold_tests::population::Draw;
use onefold_tests::vendors::stripe::Stripe;
use onefold_tests::vendors::{Running, start};
use serde_json::{Value, json};

const STORE: &str = "alike.db";
const PEOPLE: usize = 280;
const TWICE: usize = 70;
const TWO_LOGINS: usize = 10;
const AUDIENCES: [&str; 2] = ["gdansk", "named"];
const MANIFEST: &str = r#"
[hub]
name = "alike"
store = "sqlite:alike.db"
default_region = "PL"

[[source]]
name = "shop"
connector = "stripe"
credential.key = "env:STRIPE_KEY"
config.base_url = "http://ADDRESS"
grant.addresses = ["ADDRESS"]

[[source.stream]]
name = "customers"
to = "person"
key = "id"
created_at = "created | timestamp"
map.user_id = "metadata.login"
map.email = "email | email"
map.first_name = "metadata.first"
map.last_name = "metadata.last"
map.birthday = "metadata.born"
map.street = "address.line1"
map.city = "address.city"
map.postal_code = "address.postal_code"

[[audience]]
name = "gdansk"
who = { trait = "city", is = "Gdańsk" }

[[audience]]
name = "named"
who.all = [{ trait = "first_name", exists = true }, { trait = "email", exists = true }]
"#;

const FIRST: [&str; 16] = [
    "Ada", "Jan", "Mia", "Zofia", "Oliver", "Piotr", "Anna", "Hanna", "Igor", "Lena", "Marek",
    "Nina", "Olga", "Paweł", "Rafał", "Ewa",
];
const LAST: [&str; 20] = [
    "Nowak",
    "Kowalska",
    "Wiśniewski",
    "Wójcik",
    "Kamińska",
    "Lewandowski",
    "Zielińska",
    "Szymański",
    "Dąbrowska",
    "Kozłowski",
    "Mazur",
    "Krawczyk",
    "Piotrowska",
    "Grabowski",
    "Pawłowska",
    "Michalski",
    "Król",
    "Wieczorek",
    "Jabłońska",
    "Wróbel",
];
const STREETS: [&str; 8] = [
    "Długa",
    "Polna",
    "Leśna",
    "Słoneczna",
    "Krótka",
    "Szkolna",
    "Ogrodowa",
    "Lipowa",
];
const CITIES: [(&str, &str); 5] = [
    ("Gdańsk", "80"),
    ("Kraków", "30"),
    ("Poznań", "60"),
    ("Łódź", "90"),
    ("Warszawa", "00"),
];

struct Shop {
    hub: Hub,
    _stripe: Running<Stripe>,
}

impl Shop {
    fn new(suggest: &str) -> Shop {
        Shop::of(PEOPLE, suggest)
    }

    fn of(people: usize, suggest: &str) -> Shop {
        let anywhere = ([127, 0, 0, 1], 0).into();
        let stripe = start(stripe(people), anywhere).unwrap();
        let address = stripe.address.to_string();
        let shop = Shop {
            hub: Hub::new(),
            _stripe: stripe,
        };
        shop.hub
            .write("hub.toml", &MANIFEST.replace("ADDRESS", &address));
        shop.hub.write("suggest.toml", suggest);
        shop.hub.stand_at(JANUARY_MS);
        shop.hub.run(&["run"]).ends_with(0);
        shop
    }

    fn state(&self) -> State {
        self.hub.state(STORE, &AUDIENCES)
    }

    fn id(&self, customer: &str) -> String {
        let shown = self
            .hub
            .json(&["profile", "show", &format!("external:shop:{customer}")]);
        shown["id"].as_str().unwrap().to_owned()
    }

    fn are_one(&self, left: &str, right: &str) -> bool {
        self.id(left) == self.id(right)
    }

    /// The pairs that wait.
    fn waiting(&self) -> Vec<Value> {
        let rows = self
            .hub
            .json(&["identity", "suggestions", "--limit", "100000"]);
        rows.as_array().unwrap().clone()
    }

    /// The number of the suggestion that a customer is one with its second self.
    fn number(&self, customer: usize) -> String {
        let [left, right] = ["cus", "again"].map(|name| self.id(&format!("{name}_{customer}")));
        let rows = self.waiting();
        let is_it = |row: &&Value| {
            let ends = [row["left"].as_str(), row["right"].as_str()];
            ends.contains(&Some(&*left)) && ends.contains(&Some(&*right))
        };
        rows.iter().find(is_it).unwrap()["id"].to_string()
    }

    fn waits(&self, left: &str, right: &str) -> bool {
        let (left, right) = (self.id(left), self.id(right));
        self.waiting().iter().any(|row| {
            let ends = [
                row["left"].as_str().unwrap(),
                row["right"].as_str().unwrap(),
            ];
            ends.contains(&left.as_str()) && ends.contains(&right.as_str())
        })
    }
}

/// Customer `cus_N`, and the younger `again_N` for people who are there twice.
fn stripe(people: usize) -> Stripe {
    let mut stripe = Stripe::default();
    let mut draw = Draw::new(7);
    let at_s = JANUARY_MS / 1_000 - 400 * 86_400;
    for number in 0..people {
        let (first, last) = (draw.pick(&FIRST), draw.pick(&LAST));
        let (city, code) = draw.pick(&CITIES);
        let born = format!(
            "{}-{:02}-{:02}",
            draw.between(1950, 2005),
            draw.between(1, 13),
            draw.between(1, 29)
        );
        let address = json!({
            "line1": format!("{} {}", draw.pick(&STREETS), draw.between(1, 99)), "city": city,
            "postal_code": format!("{code}-{:03}", draw.between(0, 1000)),
        });
        let has_two_logins = (TWICE..TWICE + TWO_LOGINS).contains(&number);
        let fields = |login: &str, email: &str| {
            json!({
                "email": format!("{email}{number}@mail.example"), "address": address,
                "metadata": { "first": first, "last": last, "born": born, "login": login },
            })
        };
        let login = |name: &str| match has_two_logins {
            true => format!("{name}{number}"),
            false => String::new(),
        };
        let at_s = at_s + number as i64;
        stripe.seed_customer(&format!("cus_{number}"), at_s, &fields(&login("a"), "old"));
        if number < TWICE + TWO_LOGINS {
            let at_s = at_s + 86_400;
            stripe.seed_customer(
                &format!("again_{number}"),
                at_s,
                &fields(&login("b"), "new"),
            );
        }
    }
    stripe
}

mod snapshots {
    use super::*;

    #[test]
    fn pairs_wait_until_somebody_decides_and_what_was_declined_does_not_come_back() {
        let shop = Shop::new("[suggest]\n");
        let mut text = transcripts(
            &shop.hub,
            &[
                &["identity", "suggestions"],
                &["identity", "suggest"],
                &["identity", "suggestions", "--limit", "2"],
            ],
        );
        let (first, second) = (shop.number(1), shop.number(2));
        text += "\n";
        text += &transcripts(
            &shop.hub,
            &[
                &["identity", "accept", &first],
                &["identity", "decline", &second, "--reason", "twins"],
                &["identity", "decline", &second],
                &["identity", "statements"],
            ],
        );
        let before = shop.waiting();
        let people = shop.state().people.len();
        assert_eq!(people, PEOPLE + TWICE + TWO_LOGINS - 1, "two became one");

        assert!(shop.waits("cus_5", "again_5"));
        let number = shop.number(5);
        shop.hub.json(&["identity", "decline", &number]);
        text += "\n";
        text += &transcripts(&shop.hub, &[&["identity", "suggest"], &["model", "list"]]);
        assert_eq!(shop.waiting().len(), before.len() - 1);
        assert!(!shop.waits("cus_5", "again_5"));

        // Also when one of the two is known by another id since.
        let old = shop.id("again_5");
        let link = [
            "identity",
            "link",
            "external:shop:again_5",
            "external:shop:cus_200",
            "--reason",
            "told so",
        ];
        shop.hub.run(&link).ends_with(0);
        let older = shop.id("again_5");
        assert_ne!(older, old, "the older customer gives the id");
        shop.hub.run(&["identity", "suggest"]).ends_with(0);
        assert!(!shop.waits("cus_5", "again_5"));
        insta::assert_snapshot!("suggestions", text);
    }

    // I2, I4, I5
    #[test]
    fn the_surest_are_linked_and_a_dropped_version_leaves_nothing_of_it() {
        let shop = Shop::new("[suggest]\nautomatic = 0.999\n");
        let people = PEOPLE + TWICE + TWO_LOGINS;
        let before = shop.state();
        assert_eq!(before.people.len(), people);
        // Kept apart before anybody asked.
        let apart = [
            "identity",
            "separate",
            "external:shop:cus_3",
            "external:shop:again_3",
            "--reason",
            "father and son",
        ];
        shop.hub.run(&apart).ends_with(0);
        let mut text = transcripts(&shop.hub, &[&["identity", "suggest"]]);
        let linked = people - shop.state().people.len();
        assert!(linked >= TWICE / 2, "{linked} were linked");
        assert!(!shop.are_one("cus_3", "again_3") && !shop.waits("cus_3", "again_3"));
        for number in TWICE..TWICE + TWO_LOGINS {
            let (one, other) = (format!("cus_{number}"), format!("again_{number}"));
            assert!(!shop.are_one(&one, &other), "{number} has two logins");
            assert!(shop.waits(&one, &other), "{number} is asked about");
        }
        // Another look asks the version that stands and finds no more to link, and an operator's link is the operator's.
        let more = shop.hub.run(&["--json", "identity", "suggest"]);
        let more = more.ends_with(0).json();
        assert!(more["linked"] == 0 && more["refused"].is_string(), "{more}");
        let link = [
            "identity",
            "link",
            "external:shop:cus_250",
            "external:shop:cus_251",
            "--reason",
            "told so",
        ];
        shop.hub.run(&link).ends_with(0);
        text += "\n";
        text += &transcripts(
            &shop.hub,
            &[
                &["model", "list"],
                &["model", "drop", "1"],
                &["model", "drop", "1"],
                &["model", "drop", "2"],
                &["identity", "suggestions"],
            ],
        );
        assert_eq!(
            shop.state().people.len(),
            people - 1,
            "one link was the operator's"
        );
        let statements = shop.hub.json(&["identity", "statements"]);
        let standing = statements
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["revoked"].is_null());
        let standing: Vec<String> = standing.map(|row| row["id"].to_string()).collect();
        assert_eq!(standing.len(), 2, "{statements}");
        for number in &standing {
            let revoke = ["identity", "revoke", number, "--reason", "to compare"];
            shop.hub.run(&revoke).ends_with(0);
        }
        assert_eq!(format!("{:?}", shop.state()), format!("{before:?}"));
        insta::assert_snapshot!("suggestions-automatic", text);
    }

    #[test]
    fn too_few_people_are_refused_and_nothing_is_suggested_unless_the_manifest_says_so() {
        let shop = Shop::of(100, "");
        let off = transcripts(&shop.hub, &[&["identity", "suggest"]]);
        shop.hub.write("suggest.toml", "[suggest]\n");
        let few = transcripts(
            &shop.hub,
            &[&["identity", "suggest"], &["identity", "suggestions"]],
        );
        insta::assert_snapshot!("suggestions-refused", format!("{off}\n{few}"));
        let refused = shop
            .hub
            .run(&["--json", "identity", "suggest"])
            .ends_with(1)
            .json();
        assert!(
            refused["refused"].is_string() && refused["version"].is_null(),
            "{refused}"
        );
    }
}
