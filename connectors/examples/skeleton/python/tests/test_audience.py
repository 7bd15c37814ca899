"""Lists against scripted answers, without WebAssembly: `python -m unittest`."""

import unittest

from connector.connector import Helpdesk
from onefold_sdk import AudienceChange, Calls, Identifier, Member
from onefold_sdk.testing import TestHub, json

CALL = Calls(Helpdesk())
CONFIG = '{"base_url": "https://api.test"}'


class AudienceTest(unittest.TestCase):
    def test_members_are_added_by_their_address(self) -> None:
        hub = TestHub.script([("POST https://api.test/lists/l1/add", json(200, "{}"))])
        change = AudienceChange("l1", [Member([Identifier.email("a@x.test")])], "k")
        self.assertEqual(CALL.add(hub, CONFIG, change).failures, [])
        self.assertEqual(hub.bodies(), [{"emails": ["a@x.test"]}])


if __name__ == "__main__":
    unittest.main()
