"""Tagging and erasing against scripted answers, without WebAssembly: `python -m unittest`."""

import unittest

from connector.connector import Helpdesk
from onefold_sdk import AudienceChange, Calls, Erasure, Identifier, Member
from onefold_sdk.testing import TestHub, json

CALL = Calls(Helpdesk())
CONFIG = '{"base_url": "https://desk.test/", "page_size": 2}'


class AudienceTest(unittest.TestCase):
    def test_members_are_sent_a_hundred_at_a_time(self) -> None:
        members = [Member([Identifier.email(f"p{n}@x.test")]) for n in range(101)]
        refused = {"results": [{"status": "error", "code": "unknown_contact"}]}
        hub = TestHub.script([
            ("POST https://desk.test/v1/tags/t%201/members", json(200, {"results": [{"status": "added"}] * 100})),
            ("POST https://desk.test/v1/tags/t%201/members", json(200, refused)),
        ])
        outcome = CALL.add(hub, CONFIG, AudienceChange("t 1", members, "k"))
        codes = [(failure.index, failure.code) for failure in outcome.failures]
        self.assertEqual(codes, [(100, "helpdesk.unknown_contact")])
        hub.finish()

    def test_erasing_somebody_who_is_not_there_is_no_failure(self) -> None:
        hub = TestHub.script([
            ("POST https://desk.test/v1/contacts/erase", json(200, {"erased": 1})),
            ("POST https://desk.test/v1/contacts/erase", json(404, {"error": {"code": "not_found"}})),
        ])
        ids = [Identifier.email("a@x.test")]
        done = CALL.erase_subject(hub, CONFIG, ids, "r1")
        self.assertEqual((done.status, done.value), ("done", 1))
        self.assertEqual(CALL.erase_subject(hub, CONFIG, ids, "r2"), Erasure("not-found"))


if __name__ == "__main__":
    unittest.main()
