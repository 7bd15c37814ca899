"""Writing against scripted answers, without WebAssembly: `python -m unittest`."""

import unittest

from connector.connector import Helpdesk
from onefold_sdk import Calls, WriteRequest
from onefold_sdk.testing import TestHub, chunk, json

CALL = Calls(Helpdesk())
CONFIG = '{"base_url": "https://api.test"}'


class WriteTest(unittest.TestCase):
    def test_rows_are_sent_and_one_without_a_key_is_a_failure(self) -> None:
        hub = TestHub.script([("POST https://api.test/people", json(200, "{}"))])
        rows = chunk([{"name": "Nobody"}, {"email": "a@x.test"}])
        outcome = CALL.write(hub, CONFIG, WriteRequest("people", "upsert", rows, "k1"))
        self.assertEqual([failure.index for failure in outcome.failures], [0])
        self.assertEqual(hub.bodies(), [{"people": [{"email": "a@x.test"}]}])


if __name__ == "__main__":
    unittest.main()
