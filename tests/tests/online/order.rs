//! S9: the changes of one person reach the vendor in their order, whatever goes wrong on the way.

use super::killed::{CONSENT, NEWSLETTER};
use super::{MANIFEST, Online, pause};
use crate::hub::Hub;
use onefold_tests::vendors::mailchimp::{Mailchimp, subscriber_hash};
use onefold_tests::vendors::{Fault, Running, start};
use serde_json::json;
use std::time::{Duration, Instant};

const EMAIL: &str = "ada@mail.example";

struct Order {
    online: Online,
    mailchimp: Running<Mailchimp>,
    /// The number in the last name that was sent to the hub.
    number: usize,
}

impl Order {
    fn new() -> Order {
        let mailchimp = start(Mailchimp::default(), ([127, 0, 0, 1], 0).into()).unwrap();
        let more = NEWSLETTER.replace("MAILCHIMP\"", &format!("{}\"", mailchimp.address));
        let mut online = Online::stopped("", |_: &mut Hub| {});
        let manifest = MANIFEST
            .replace("PORT", &online.port.to_string())
            .replace("\n[[audience]]", &format!("{CONSENT}\n[[audience]]"));
        online.hub.write("hub.toml", &(manifest + &more));
        online.start();
        Order {
            online,
            mailchimp,
            number: 0,
        }
    }

    /// The person gets another name.
    fn change(&mut self) {
        self.number += 1;
        let number = self.number;
        let identify = json!({ "type": "identify", "messageId": format!("i{number}"), "userId": "u1",
            "traits": { "email": EMAIL, "firstName": format!("Name{number}") } });
        assert_eq!(self.online.batch(&[identify]).status, 200);
        self.online
            .wait_for("select count(*) from inbox where body is not null", 0);
    }

    fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{what}: {:?}",
                self.name()
            );
            pause();
        }
    }

    fn name(&self) -> Option<String> {
        self.mailchimp.with(|mailchimp| {
            let member = mailchimp.members.get(&subscriber_hash(EMAIL))?;
            Some(member.merge_fields.get("FNAME")?.as_str()?.to_owned())
        })
    }

    fn faults(&self) -> usize {
        let requests = self.mailchimp.requests();
        requests.iter().filter(|one| one.fault.is_some()).count()
    }

    fn arrives(&self, after: &str) {
        let expected = format!("Name{}", self.number);
        self.wait(after, || self.name().as_ref() == Some(&expected));
    }

    /// The first of three changes meets a fault, the others come while it waits.
    fn three_changes(&mut self, fault: &Fault, times: u32) {
        let before = self.faults();
        self.mailchimp.fail_next(times, "POST /3.0/", fault.clone());
        self.change();
        self.wait("the fault happens", || self.faults() > before);
        self.change();
        self.change();
    }
}

#[test]
fn s9_the_last_change_of_a_person_is_the_last_at_the_vendor_whatever_goes_wrong() {
    let mut order = Order::new();
    order.change();
    order.arrives("at first");
    for (fault, times) in [
        (Fault::ServerError, 2),
        (Fault::TooManyRequests { retry_after_s: 1 }, 2),
        // Given up.
        (Fault::Refused { status: 400 }, 1),
        (Fault::Reset, 1),
        (Fault::AnswerLost, 1),
    ] {
        order.three_changes(&fault, times);
        order.arrives(&format!("{fault:?}"));
    }
    // Held back by a person, and taken up again.
    let pause = ["pause", "newsletter-out", "--reason", "the vendor migrates"];
    order.online.hub.run(&pause).ends_with(0);
    for _ in 0..3 {
        order.change();
    }
    let resume = ["resume", "newsletter-out", "--reason", "done"];
    order.online.hub.run(&resume).ends_with(0);
    order.arrives("a pause");
    // A restart between a change that fails and the next one, in good order and not.
    for is_killed in [true, false] {
        order.three_changes(&Fault::ServerError, 1);
        match is_killed {
            true => order.online.kill(),
            false => order.online.stop(),
        }
        order.mailchimp.clear_faults();
        order.online.start();
        order.arrives("a restart");
    }
    order.online.stop();
    // Nothing older was ever written after something newer.
    let writes = order.mailchimp.with(|mailchimp| mailchimp.writes.clone());
    let names = writes.iter().filter_map(|write| {
        let name = write.content["merge_fields"]["FNAME"].as_str()?;
        name.strip_prefix("Name")?.parse::<usize>().ok()
    });
    let names: Vec<usize> = names.collect();
    assert!(names.is_sorted(), "{names:?}");
    assert_eq!(names.last(), Some(&order.number));
}
