"""Reading against scripted answers, without WebAssembly: `python -m unittest`."""

import unittest

from connector.connector import Helpdesk
from onefold_sdk import Calls, CursorExpired
from onefold_sdk.testing import TestHub, from_cursor, json, read_all, whole

CALL = Calls(Helpdesk())
CONFIG = '{"base_url": "https://desk.test/", "page_size": 2}'


class ReadTest(unittest.TestCase):
    def test_records_are_passed_on_as_they_were_written_and_tombstones_as_deletes(self) -> None:
        first = '{"contacts":[{"id":12345678901234567890,"score":1.10},{"id":2, "x":1e2}],"next":"a/1","more":true}'
        second = '{"contacts":[{"id":98765432109876543210,"deleted":true,"updated_at":"x"}],"next":"a2","more":false}'
        hub = TestHub.script([
            ("GET https://desk.test/v1/contacts?limit=2", json(200, first)),
            ("GET https://desk.test/v1/contacts?limit=2&after=a%2F1", json(200, second)),
        ])
        upserts, deletes, _ = read_all(whole("contacts"), lambda request: CALL.read(hub, CONFIG, request))
        self.assertEqual(upserts, [b'{"id":12345678901234567890,"score":1.10}', b'{"id":2, "x":1e2}'])
        self.assertEqual(deletes, [b'{"id":98765432109876543210}'])
        self.assertEqual(hub.sent[0].credential, "token")
        hub.finish()

    def test_a_record_that_is_deleted_and_created_again_is_there(self) -> None:
        first = '{"tickets":[{"id":"T-1","deleted":true},{"id":"T-2","deleted":true}],"next":"a1","more":true}'
        second = '{"tickets":[{"id":"T-1","subject":"again"}],"next":"a2","more":false}'
        hub = TestHub.script([
            ("GET https://desk.test/v1/tickets?limit=2", json(200, first)),
            ("GET https://desk.test/v1/tickets?limit=2&after=a1", json(200, second)),
        ])
        upserts, deletes, _ = read_all(whole("tickets"), lambda request: CALL.read(hub, CONFIG, request))
        self.assertEqual((upserts, deletes), ([b'{"id":"T-1","subject":"again"}'], [b'{"id":"T-2"}']))

    def test_a_cursor_that_the_vendor_no_longer_knows_asks_for_a_fresh_start(self) -> None:
        gone = json(410, {"error": {"code": "cursor_expired", "message": "too old"}})
        hub = TestHub.script([("GET https://desk.test/v1/tickets?limit=2&after=old", gone)])
        with self.assertRaises(CursorExpired):
            CALL.read(hub, CONFIG, from_cursor("tickets", b'{"after":"old"}'))


if __name__ == "__main__":
    unittest.main()
