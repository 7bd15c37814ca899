//! `onefold-fake-vendor hubspot|mailchimp|stripe [--port PORT]`: serves one fake with data that is hard on connectors, prints its
//! address, and on standard error what a manifest needs to use it; shows what it holds under `/onefold/state`. For the connectors'
//! `conformance.toml`, and for trying a hub.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use onefold_tests::vendors::hubspot::{self, HubSpot, Owner};
use onefold_tests::vendors::mailchimp::{
    self, Action, Activity, Campaign, Mailchimp, Member, Status, Unsubscribed,
};
use onefold_tests::vendors::stripe::{self, Paid, Stripe};
use onefold_tests::vendors::time::Clock;
use onefold_tests::vendors::{Reply, Request, Vendor, start};
use serde_json::{Value, json};

const STATE: &str = "/onefold/state";
const DAY_MS: i64 = 86_400_000;
const ROWS: u64 = 230;

/// Hard names, and the usual kind.
const NAMES: [&str; 5] = ["Zoë", "Łukasz", "李 雷", "O'Neil \"Sunny\"", "👩‍👩‍👧"];

/// A fake that shows what it holds.
struct Shown<V> {
    vendor: V,
    state: fn(&V) -> Value,
}

impl<V: Vendor> Vendor for Shown<V> {
    fn answer(&mut self, request: &Request) -> Reply {
        match request.path.as_str() {
            STATE => Reply::json(200, &(self.state)(&self.vendor)),
            _ => self.vendor.answer(request),
        }
    }

    fn too_many_requests(&self) -> Reply {
        self.vendor.too_many_requests()
    }

    fn server_error(&self) -> Reply {
        self.vendor.server_error()
    }
}

const HELP: &str = "\
Serves a made-up HubSpot, Mailchimp or Stripe on this machine, with data that is hard on connectors, until stopped.

Usage: onefold-fake-vendor hubspot|mailchimp|stripe [--port PORT]

Prints its address on standard output, and on standard error the lines for a manifest and the secret that it takes.
ADDRESS/onefold/state shows what it holds. Without --port the system chooses one.
";

/// The fake that was asked for, and its port; none where the arguments are wrong.
fn asked(arguments: &[String]) -> Option<(&str, u16)> {
    match arguments {
        [name] => Some((name, 0)),
        [name, flag, port] if flag == "--port" => Some((name, port.parse().ok()?)),
        _ => None,
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|one| one == "--help" || one == "-h") {
        let _ = std::io::stdout().write_all(HELP.as_bytes());
        return ExitCode::SUCCESS;
    }
    let Some((name, port)) = asked(&arguments) else {
        let _ = std::io::stderr().write_all(HELP.as_bytes());
        return ExitCode::from(2);
    };
    // Some vendors forget what is old, so the data is always of the last weeks.
    let start_ms = Clock::System.now_ms() / DAY_MS * DAY_MS - 20 * DAY_MS;
    let place = |credential, secret| Place {
        connector: name,
        port,
        credential,
        secret,
    };
    let served = match name {
        "hubspot" => {
            let place = place("token", hubspot::TOKEN);
            serve(hubspot(start_ms), hubspot_state, &place)
        }
        "mailchimp" => {
            let place = place("key", mailchimp::KEY);
            serve(mailchimp(start_ms), mailchimp_state, &place)
        }
        "stripe" => serve(
            stripe(start_ms),
            |_| Value::Null,
            &place("key", stripe::KEY),
        ),
        _ => {
            let _ = std::io::stderr().write_all(HELP.as_bytes());
            return ExitCode::from(2);
        }
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(
                std::io::stderr(),
                "port {port} cannot be listened on: {error}"
            );
            ExitCode::FAILURE
        }
    }
}

/// Where a fake is served, and what it takes.
struct Place<'a> {
    connector: &'a str,
    port: u16,
    credential: &'a str,
    secret: &'a str,
}

impl Place<'_> {
    /// The lines of a manifest.
    fn lines(&self, address: SocketAddr) -> String {
        let Self {
            connector,
            credential,
            secret,
            ..
        } = self;
        let variable = format!("{connector}_{credential}").to_ascii_uppercase();
        let more = match *connector {
            "mailchimp" => "config.list_id = \"a1b2c3d4e5\"\n",
            _ => "",
        };
        format!(
            "connector = \"{connector}\"\nconfig.base_url = \"http://{address}\"\n{more}grant.addresses = [\"{address}\"]\n\
             credential.{credential} = \"env:{variable}\"      # export {variable}={secret}\n"
        )
    }
}

/// Serves until the program is stopped.
fn serve<V: Vendor>(vendor: V, state: fn(&V) -> Value, place: &Place<'_>) -> std::io::Result<()> {
    let local: SocketAddr = ([127, 0, 0, 1], place.port).into();
    let running = start(Shown { vendor, state }, local)?;
    std::io::stderr().write_all(place.lines(running.address).as_bytes())?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", running.base_url())?;
    out.flush()?;
    loop {
        std::thread::park();
    }
}

fn name(index: u64) -> &'static str {
    NAMES[usize::try_from(index).unwrap_or(0) % NAMES.len()]
}

/// Groups of equal times, some of them larger than a page.
fn time(start_ms: i64, index: u64) -> i64 {
    let group = if index < 120 {
        index / 7
    } else {
        17 + index / 60
    };
    start_ms + i64::try_from(group).unwrap_or(0) * 60_000
}

fn hubspot(start_ms: i64) -> HubSpot {
    let mut hub = HubSpot::default();
    for id in 1..=ROWS {
        let email = format!("person{id}@mail.example");
        let values = [
            ("email", email.as_str()),
            ("firstname", name(id)),
            ("lifecyclestage", "lead"),
        ];
        hub.contacts
            .seed(id, start_ms - 1_000, time(start_ms, id), &values);
    }
    for id in 1..=20 {
        let domain = format!("company{id}.example");
        let values = [("name", name(id)), ("domain", domain.as_str())];
        hub.companies
            .seed(id, start_ms - 1_000, time(start_ms, id), &values);
    }
    let at_ms = start_ms - 1_000;
    hub.define("2-100", &["hs_merged_object_ids", "model"]);
    let more: [(&str, &[(&'static str, &str)]); 7] = [
        (
            "deals",
            &[
                ("dealname", "Looms"),
                ("amount", "120.50"),
                ("dealstage", "closedwon"),
            ],
        ),
        ("calls", &[("hs_call_status", "COMPLETED")]),
        ("emails", &[("hs_email_direction", "EMAIL")]),
        ("meetings", &[("hs_meeting_outcome", "SCHEDULED")]),
        ("notes", &[("hs_note_body", "Likes tea")]),
        ("tasks", &[("hs_task_status", "COMPLETED")]),
        ("2-100", &[("model", "T")]),
    ];
    for (kind, values) in more {
        for id in 1..=20 {
            hub.of(kind).seed(id, at_ms, time(start_ms, id), values);
            hub.associate((kind, id), ("contacts", id), time(start_ms, id));
            if kind == "deals" {
                hub.associate((kind, id), ("companies", id), time(start_ms, id));
            }
        }
        hub.of(kind).archive(5, time(start_ms, ROWS) + 3_600_000);
    }
    for (id, archived) in [(1, false), (2, false), (3, true)] {
        hub.owners.push(Owner {
            id,
            email: "ola@acme.example",
            first_name: "Ola",
            last_name: "Nowak",
            created_ms: at_ms,
            updated_ms: at_ms,
            archived,
        });
    }
    for (index, size) in [ROWS, 20, 0].into_iter().enumerate() {
        let kind = if size == 20 { "0-2" } else { "0-1" };
        let label = format!("{} {index}", name(index as u64));
        let list = hub.make_list(&label, kind, "DYNAMIC");
        for id in 1..=size {
            hub.list(list).add(id, time(start_ms, id));
        }
    }
    for id in [5, 77, 130] {
        hub.contacts.archive(id, time(start_ms, ROWS) + 3_600_000);
    }
    hub
}

/// What clients can see of contacts and lists; not when it last changed.
fn hubspot_state(hub: &HubSpot) -> Value {
    let contacts: Vec<Value> = hub
        .contacts
        .ids()
        .filter_map(|id| hub.contacts.get(id))
        .filter(|record| record.archived_ms.is_none())
        .map(|record| {
            let value = |name| hub.contacts.value(record, name);
            json!([
                record.id,
                value("email"),
                value("firstname"),
                value("lastname"),
                value("phone")
            ])
        })
        .collect();
    let lists: Vec<Value> = hub
        .lists
        .iter()
        .map(|list| json!([list.name, list.members.keys().collect::<Vec<_>>()]))
        .collect();
    json!({ "contacts": contacts, "lists": lists })
}

fn mailchimp(start_ms: i64) -> Mailchimp {
    let mut mailchimp = Mailchimp::default();
    for index in 0..ROWS {
        let status = match index % 23 {
            7 => Status::Unsubscribed,
            11 => Status::Archived,
            _ => Status::Subscribed,
        };
        let left = status == Status::Unsubscribed;
        mailchimp.seed_member(Member {
            email: format!("person{index}@mail.example"),
            status,
            merge_fields: [("FNAME".to_owned(), json!(name(index)))].into(),
            language: "pl".to_owned(),
            vip: index % 9 == 0,
            signed_up_ms: start_ms - 1_000,
            last_changed_ms: time(start_ms, index),
            unsubscribe_reason: left.then(|| "N/A (Unsubscribed by admin)".to_owned()),
        });
    }
    let sent_ms = start_ms + 86_400_000;
    let activity = (0..60).map(|index| Activity {
        email: format!("person{}@mail.example", index * 2),
        actions: vec![
            (sent_ms + 60_000, Action::Open),
            (
                sent_ms + 90_000 + index,
                Action::Click {
                    url: "https://shop.example/ä".to_owned(),
                },
            ),
        ],
    });
    let unsubscribed = (0..10).map(|index| Unsubscribed {
        email: format!("person{}@mail.example", index * 23 + 7),
        at_ms: sent_ms + 120_000,
        reason: "N/A (Unsubscribed by admin)".to_owned(),
    });
    for id in ["spring01", "summer02"] {
        mailchimp.campaigns.push(Campaign {
            id: id.to_owned(),
            title: "Frühling".to_owned(),
            sent_ms,
            activity: activity.clone().collect(),
            unsubscribed: unsubscribed.clone().collect(),
        });
    }
    mailchimp
}

fn mailchimp_state(mailchimp: &Mailchimp) -> Value {
    let snapshot = mailchimp.snapshot();
    let members: Vec<Value> = snapshot
        .members
        .into_iter()
        .map(|(email, (status, fields))| json!([email, status.name(), fields]))
        .collect();
    json!({ "members": members, "segments": snapshot.segments })
}

fn stripe(start_ms: i64) -> Stripe {
    let mut stripe = Stripe::default();
    for index in 0..ROWS {
        let created_s = time(start_ms, index) / 1_000;
        let id = format!("cus_{index:05}");
        let fields = json!({ "email": format!("person{index}@mail.example"), "name": name(index) });
        stripe.seed_customer(&id, created_s, &fields);
        let amount = 1_000 + i64::try_from(index).unwrap_or(0);
        let paid = if index % 5 == 0 {
            Paid::Declined
        } else {
            Paid::Succeeded
        };
        stripe.seed_charge(
            &format!("ch_{index:05}"),
            &id,
            amount,
            "pln",
            created_s,
            paid,
        );
    }
    stripe
}
