"""Writing against scripted answers, without WebAssembly: `python -m unittest`."""

import unittest

from connector.connector import Helpdesk
from onefold_sdk import Calls, WriteRequest
from onefold_sdk.testing import TestHub, chunk, json

CALL = Calls(Helpdesk())
CONFIG = '{"base_url": "https://desk.test/", "page_size": 2}'


class WriteTest(unittest.TestCase):
    def test_rows_that_the_vendor_refuses_are_named_and_those_without_a_key_are_not_sent(self) -> None:
        results = [{"status": "created", "id": 1}, {"status": "error", "code": "invalid_email", "message": "no"}]
        hub = TestHub.script([("POST https://desk.test/v1/contacts/upsert", json(200, {"results": results}))])
        rows = chunk([{"name": "Nobody"}, {"email": "a@x.test"}, {"email": "b"}])
        outcome = CALL.write(hub, CONFIG, WriteRequest("contacts", "upsert", rows, "k1"))
        codes = [(failure.index, failure.code) for failure in outcome.failures]
        self.assertEqual(codes, [(0, "helpdesk.no_email"), (2, "helpdesk.invalid_email")])
        self.assertEqual(hub.bodies(), [{"contacts": [{"email": "a@x.test"}, {"email": "b"}]}])


if __name__ == "__main__":
    unittest.main()
