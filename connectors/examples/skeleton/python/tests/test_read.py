"""Reading against scripted answers, without WebAssembly: `python -m unittest`."""

import unittest

from connector.connector import Helpdesk
from onefold_sdk import Calls
from onefold_sdk.testing import TestHub, json, read_all, whole

CALL = Calls(Helpdesk())
CONFIG = '{"base_url": "https://api.test"}'


class ReadTest(unittest.TestCase):
    def test_every_page_is_read(self) -> None:
        hub = TestHub.script([
            ("GET https://api.test/people?limit=", json(200, '{"people":[{"id":"1"}],"next":"p2"}')),
            ("GET https://api.test/people?limit=", json(200, '{"people":[{"id":"2"}],"next":null}')),
        ])
        upserts, _, _ = read_all(whole("people"), lambda request: CALL.read(hub, CONFIG, request))
        self.assertEqual(upserts, [b'{"id":"1"}', b'{"id":"2"}'])
        self.assertIn("after=p2", hub.sent[1].url)
        self.assertEqual(hub.sent[0].credential, "token")
        hub.finish()


if __name__ == "__main__":
    unittest.main()
