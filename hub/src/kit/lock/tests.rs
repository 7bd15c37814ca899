//! The lock's form, and what counts as asking for more, against a simpler oracle.

use super::*;
use crate::model::{CredentialSpec, Description, Inject};
use proptest::prelude::*;

fn entry() -> Entry {
    Entry {
        name: "crm".to_owned(),
        version: "1.2.0".to_owned(),
        source: "oci://registry.example.com/acme/crm:1.2.0".to_owned(),
        digest: format!("sha256:{}", "0f".repeat(32)),
        signer: Some("acme".to_owned()),
        contract: "0.1.0".to_owned(),
        granted: Granted {
            exports: ["source".to_owned()].into(),
            hosts: ["api.example.com".to_owned(), "*.eu.example.com".to_owned()].into(),
            credentials: [("token".to_owned(), "bearer".to_owned())].into(),
            personal: [("people".to_owned(), ["pii.email".to_owned()].into())].into(),
        },
    }
}

#[test]
fn a_credential_for_other_hosts_is_more_than_was_granted() {
    let asks = |hosts: &[&str]| {
        let spec = CredentialSpec {
            title: "Token".to_owned(),
            required: true,
            inject: Inject::Bearer,
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        };
        Granted::of(&Description {
            hosts: vec!["api.example.com".to_owned(), "files.example.com".to_owned()],
            credentials: [("token".to_owned(), spec)].into(),
            ..Description::default()
        })
    };
    let (all, one) = (asks(&[]), asks(&["API.example.com"]));
    assert_eq!(all.credentials["token"], "bearer");
    assert_eq!(one.credentials["token"], "bearer for api.example.com");
    assert_eq!(one.surpassed_by(&one), Vec::<String>::new());
    assert_eq!(
        one.surpassed_by(&all),
        ["credential `token` as bearer, not as bearer for api.example.com"]
    );
}

mod snapshots {
    use super::*;

    #[test]
    fn a_lock_is_read_as_it_was_written() {
        let mut lock = Lock::default();
        lock.put(Entry {
            name: "mail".to_owned(),
            signer: None,
            granted: Granted::default(),
            ..entry()
        });
        lock.put(entry());
        let text = lock.text().unwrap();
        insta::assert_snapshot!(text, @r#"
    # Written by `onefold connector add`. A connector whose bytes differ from its entry is not loaded.
    # Keep this file with the manifests.

    version = 1

    [[connector]]
    name = "crm"
    version = "1.2.0"
    source = "oci://registry.example.com/acme/crm:1.2.0"
    digest = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
    signer = "acme"
    contract = "0.1.0"

    [connector.granted]
    exports = ["source"]
    hosts = ["*.eu.example.com", "api.example.com"]

    [connector.granted.credentials]
    token = "bearer"

    [connector.granted.personal]
    people = ["pii.email"]

    [[connector]]
    name = "mail"
    version = "1.2.0"
    source = "oci://registry.example.com/acme/crm:1.2.0"
    digest = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
    contract = "0.1.0"

    [connector.granted]
    exports = []
    hosts = []

    [connector.granted.credentials]

    [connector.granted.personal]
    "#);
        assert_eq!(Lock::parse(&text).unwrap(), lock);
    }
}

#[test]
fn a_lock_that_cannot_be_trusted_to_mean_what_it_says_is_refused() {
    let mut lock = Lock::default();
    lock.put(entry());
    let good = lock.text().unwrap();
    let (_, twice) = good.split_at(good.find("[[connector]]").unwrap());
    let cases = [
        (
            "version = 1\nconector = []".to_owned(),
            "unknown field `conector`",
        ),
        ("version = 2".to_owned(), "has the form 2"),
        ("version 1".to_owned(), "at line 1"),
        (
            good.replacen("version = 1\n", "version = 1\nx = 1\n", 1),
            "unknown field `x`",
        ),
        (good.replace("\"crm\"", "\"../crm\""), "names `../crm`"),
        (format!("{good}{twice}"), "names `crm` twice"),
    ];
    for (text, expected) in cases {
        let problem = Lock::parse(&text).unwrap_err();
        assert_eq!(problem.code.id, "OF0348");
        assert!(
            problem.message.contains(expected),
            "{expected}: {}",
            problem.message
        );
    }
    let none = tempfile::tempdir().unwrap();
    assert_eq!(Lock::read(none.path()).unwrap(), Lock::default());
}

#[test]
fn what_a_newer_version_asks_for_beyond_is_said_in_sentences() {
    let mut next = entry();
    next.version = "1.3.0".to_owned();
    assert_eq!(entry().surpassed_by(&next), [""; 0]);
    next.signer = None;
    next.granted.exports.insert("destination".to_owned());
    let hosts = ["a.eu.example.com", "eu.example.com", "evil.example"];
    next.granted.hosts = hosts.map(str::to_owned).into();
    let credentials = [("token", "signing"), ("key", "header x-key")];
    next.granted.credentials = credentials
        .map(|(name, place)| (name.to_owned(), place.to_owned()))
        .into();
    let personal = [
        ("people", vec!["pii.email", "pii.phone"]),
        ("orders", vec!["pii.name"]),
    ];
    next.granted.personal = personal
        .map(|(stream, classes)| {
            let classes = classes.into_iter().map(str::to_owned);
            (stream.to_owned(), classes.collect())
        })
        .into();
    assert_eq!(
        entry().surpassed_by(&next),
        [
            "host `eu.example.com`",
            "host `evil.example`",
            "credential `key` (header x-key)",
            "credential `token` as signing, not as bearer",
            "personal data in stream `orders` (pii.name)",
            "personal data in stream `people` (pii.phone)",
            "to be a destination",
            "signed by nobody who is trusted, and no longer by `acme`",
        ]
    );
    let same = Entry {
        digest: "sha256:other".to_owned(),
        ..entry()
    };
    assert_eq!(
        entry().surpassed_by(&same),
        ["the same version 1.2.0 with other bytes"]
    );
}

#[test]
fn an_older_version_is_a_question_and_a_newer_one_is_not() {
    let asks = |before: &str, after: &str| {
        let at = |version: &str| Entry {
            version: version.to_owned(),
            ..entry()
        };
        at(before).surpassed_by(&at(after))
    };
    assert_eq!(
        asks("1.10.0", "1.9.0"),
        ["the older version 1.9.0 in the place of 1.10.0"]
    );
    assert_eq!(
        asks("2.0.0", "2.0.0-rc1"),
        ["the older version 2.0.0-rc1 in the place of 2.0.0"]
    );
    assert_eq!(
        asks("nightly", "1.0.0"),
        ["version 1.0.0 in the place of nightly, and which is newer cannot be told"]
    );
    for (before, after) in [
        ("1.9.0", "1.10.0"),
        ("2.0.0-rc1", "2.0.0"),
        ("1.0.0", "1.0.0"),
        ("nightly", "nightly"),
    ] {
        assert_eq!(asks(before, after), [""; 0], "{before} {after}");
    }
}

#[test]
fn who_holds_a_lock_makes_others_wait() {
    let hub = tempfile::tempdir().unwrap();
    let rounds = 20;
    std::thread::scope(|scope| {
        for name in ["crm", "mail", "shop", "desk"] {
            let hub = hub.path();
            scope.spawn(move || {
                for _ in 0..rounds {
                    let _held = hold(hub).unwrap();
                    let mut lock = Lock::read(hub).unwrap();
                    let before = lock.take(name);
                    let version = before.map_or(0, |entry| entry.version.parse().unwrap());
                    lock.put(Entry {
                        name: name.to_owned(),
                        version: format!("{}", version + 1),
                        ..entry()
                    });
                    lock.write(hub).unwrap();
                }
            });
        }
    });
    let lock = Lock::read(hub.path()).unwrap();
    let versions: Vec<_> = lock.entries.iter().map(|one| &*one.version).collect();
    assert_eq!(versions, ["20"; 4]);
}

/// Hosts of few words, so that they meet.
fn host() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["a", "b", "ab"]);
    let words = prop::collection::vec(word, 1..4);
    let port = prop::sample::select(vec!["", ":1", ":2"]);
    (prop::bool::ANY, words, port).prop_map(|(star, words, port)| {
        let star = if star { "*." } else { "" };
        format!("{star}{}{port}", words.join("."))
    })
}

fn granted() -> impl Strategy<Value = Granted> {
    prop::collection::btree_set(host(), 0..4).prop_map(|hosts| Granted {
        hosts,
        ..Granted::default()
    })
}

/// Every place of the small world that the hosts allow, by the rule of the egress: a name with its port, or every name
/// below a star's.
fn reach(granted: &Granted) -> std::collections::BTreeSet<String> {
    let words = ["a", "b", "ab"];
    let mut names: Vec<String> = words.map(str::to_owned).into();
    for _ in 0..3 {
        let longer: Vec<String> = names
            .iter()
            .flat_map(|name| words.map(|word| format!("{word}.{name}")))
            .collect();
        names.extend(longer);
    }
    let mut reach = std::collections::BTreeSet::new();
    for host in &granted.hosts {
        let (host, port) = host.split_once(':').unwrap_or((host, "443"));
        for name in &names {
            let allowed = match host.strip_prefix("*.") {
                Some(parent) => name
                    .strip_suffix(parent)
                    .is_some_and(|rest| rest.ends_with('.')),
                None => name == host,
            };
            if allowed {
                reach.insert(format!("{name}:{port}"));
            }
        }
    }
    reach
}

mod properties {
    use super::*;

    proptest! {
        #[test]
        fn asking_for_no_more_means_reaching_no_more(before in granted(), next in granted()) {
            if before.surpassed_by(&next).is_empty() {
                prop_assert!(reach(&next).is_subset(&reach(&before)));
            }
            for host in &next.hosts {
                let alone = Granted { hosts: [host.clone()].into(), ..Granted::default() };
                let new = !reach(&alone).is_subset(&reach(&before));
                if new {
                    let named = format!("host `{host}`");
                    prop_assert!(before.surpassed_by(&next).contains(&named));
                }
            }
        }

        #[test]
        fn the_same_again_asks_for_no_more(granted in granted()) {
            prop_assert_eq!(granted.surpassed_by(&granted), Vec::<String>::new());
        }
    }
}
