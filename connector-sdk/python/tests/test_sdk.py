"""The SDK against simpler oracles: `python -m unittest`."""

import json as _json
import random
import unittest
from dataclasses import dataclass
from typing import Any, Literal

from onefold_sdk import (
    AuthError,
    Batch,
    Cancelled,
    Chunk,
    ConfigError,
    CursorExpired,
    Done,
    Error,
    Found,
    HttpError,
    More,
    OtherError,
    PermanentError,
    PermissionError,
    RateLimited,
    ReadRequest,
    Request,
    Response,
    TransientError,
    Vendor,
    WriteRequest,
    cut,
    encode,
    keyed,
    next_link,
    read_pages,
)
from onefold_sdk import config
from onefold_sdk.testing import TestHub, chunk, json, read_all, whole

ACME = Vendor("acme", ["/error/code"], ["/error/message", "/message"])


def texts(body: str, path: list[str]) -> list[str]:
    return [row.bytes.decode() for row in cut(body.encode(), path).rows]


def nobody(_: Any) -> Response:
    raise AssertionError("nothing may be asked")


class Cutting(unittest.TestCase):
    def test_records_come_out_as_they_were_written_and_the_rest_is_the_envelope(self) -> None:
        body = '{"total": 2, "results":[{"a":"x]},\\"{","b":[1,{}]},{"a":1e5, "b":null},{"n":12345678901234567890.10,"é":"ü"}],"next":"7"}'
        rows = ['{"a":"x]},\\"{","b":[1,{}]}', '{"a":1e5, "b":null}', '{"n":12345678901234567890.10,"é":"ü"}']
        self.assertEqual(texts(body, ["results"]), rows)
        page = cut(body.encode(), ["results"])
        self.assertEqual(page.envelope(), {"total": 2, "results": [], "next": "7"})
        self.assertEqual(page.rows[2].raw("n"), "12345678901234567890.10")
        self.assertEqual(page.rows[2].raw("é"), '"ü"')
        self.assertIsNone(page.rows[2].raw("m"))

    def test_a_record_of_several_lines_becomes_one(self) -> None:
        body = '[\r\n  {\n    "a": "b \\"  ć",\n\t"d": [ 1,\n 2 ]\n  }\n]\n'
        self.assertEqual(texts(body, []), ['{"a":"b \\"  ć","d":[1,2]}'])

    def test_bytes_and_numbers_that_python_would_not_read_pass_through(self) -> None:
        long = b'[{"n":%s,"s":"\xff"}]' % (b"9" * 5000)
        self.assertEqual(cut(long, []).rows[0].bytes, long[1:-1])

    # I17
    def test_a_value_that_cannot_be_read_costs_no_other_record(self) -> None:
        deep = "[" * 200 + "]" * 200
        endless = '{"a":' * 20_000 + "1" + "}" * 20_000
        for bad in [r'"\ud83d"', r'"x\udc00"', "1e400", "-1E+999", "NaN", "Infinity", "-Infinity", deep, endless]:
            row = f'{{"id":2,"bad":{bad},"deleted":true}}'
            others = ['{"id":1}', '{"id":3,"name":"NaN"}']
            for rows in [[row, *others], [others[0], row, others[1]], [*others, row], [row], [bad, row]]:
                around = "0" if bad == endless else bad
                page = cut(f'{{"rows":[{",".join(rows)}],"more":{around},"next":"7"}}'.encode(), ["rows"])
                self.assertEqual([found.bytes.decode() for found in page.rows], rows)
                self.assertEqual(page.envelope()["next"], "7")
                found = page.rows[rows.index(row)]
                self.assertEqual(found.raw("id"), "2")
                if bad != endless:
                    self.assertEqual((found.get("id"), found.get("deleted")), (2, True))
            batch = Found()
            batch.delete({"id": 2})
            batch.upserts.push_bytes(row.encode())
            self.assertIsNone(batch.finish(b"", True).deletes, bad[:20])
            answer = Vendor("acme", ["/code"], ["/message"])
            hub = TestHub(lambda _: Response(200, [], f'{{"errors":[{{"of":1}}],"bad":{bad}}}'.encode()))
            if bad != endless:
                self.assertEqual(answer.fetch(hub, Request.get("https://acme"))["errors"], [{"of": 1}])

    def test_a_page_cut_short_anywhere_or_no_json_is_transient(self) -> None:
        body = b'{"results":[{"a":"\\u00e9\\\\"},{"b":[true,-1.5]}],"more":false}'
        self.assertEqual(len(cut(body, ["results"]).rows), 2)
        broken = [body[:end] for end in range(len(body))]
        broken += [b"<html>", b'{"results":[}]}', b"{} {}", b"[1]", b'{"results":[{"a":"x\ny"}]}', b'{"results":null}']
        broken += [b'{"results":[1 2]}', b'{"results":[],"results":[{}]}', b'{"results":[nan]}']
        for text in broken:
            with self.assertRaises(TransientError, msg=text):
                cut(text, ["results"])

    def test_any_document_is_cut_as_a_parser_would_cut_it(self) -> None:
        chance = random.Random(7)
        pieces = ["", '"', "\\", "\n", "é", "},{", "}]", "0123456789", "😀"]

        def value(depth: int) -> Any:
            match chance.randrange(3 if depth == 0 else 5):
                case 0:
                    return chance.randrange(1000) / 8
                case 1:
                    return chance.choice([None, True, False])
                case 2:
                    return "".join(chance.choices(pieces, k=chance.randrange(4)))
                case 3:
                    return [value(depth - 1) for _ in range(chance.randrange(4))]
                case _:
                    return {f"k{chance.randrange(9)}": value(depth - 1) for _ in range(chance.randrange(4))}

        for _ in range(2_000):
            rows = [value(4) for _ in range(chance.randrange(5))]
            page = {"before": value(3), "rows": rows, "z": value(2)}
            for body in (_json.dumps(page), _json.dumps(page, indent=2, ensure_ascii=False)):
                lines = texts(body, ["rows"])
                self.assertFalse(any("\n" in line for line in lines))
                self.assertEqual([_json.loads(line) for line in lines], rows, body)


class Paging(unittest.TestCase):
    def test_no_row_is_lost_or_repeated_at_any_bound(self) -> None:
        def numbers(cursor: int, room: int, found: Found) -> More | Done:
            end = min(cursor + min(room, 10), 100)
            for n in range(cursor, end):
                found.upserts.push({"n": n})
            return Done(end) if end == 100 else More(end)

        def read(request: ReadRequest) -> Batch:
            return read_pages(TestHub(nobody), request, lambda: 0, numbers)

        for records, size in [(1, 1), (7, 1_000_000), (25, 40), (1_000, 200), (1_000, 1_000_000)]:
            rows, _, _ = read_all(ReadRequest("x", max_records=records, max_bytes=size), read)
            self.assertEqual(rows, [b'{"n":%d}' % n for n in range(100)])

    def test_a_failure_after_the_first_page_keeps_the_pages_before_it_and_one_on_the_first_does_not(self) -> None:
        def page(cursor: int, _: int, found: Found) -> More:
            found.upserts.push({"cursor": cursor})
            if cursor == 3:
                raise TransientError("x", "broke after its row")
            return More(cursor + 1)

        hub = TestHub(nobody)
        batch = read_pages(hub, whole("x"), lambda: 0, page)
        self.assertEqual((batch.upserts.count, batch.done, batch.cursor), (3, False, b"3"))
        with self.assertRaises(TransientError):
            read_pages(hub, whole("x"), lambda: 3, page)
        with self.assertRaises(CursorExpired):
            read_pages(hub, whole("x").at(b"{"), lambda: 0, page)
        with self.assertRaises(Cancelled):
            read_pages(TestHub(nobody).cancel(), whole("x"), lambda: 0, page)

    def test_links_are_found(self) -> None:
        def link(text: str) -> str | None:
            return next_link(Response(200, [("Link", text.encode())]))

        both = '<https://a/?page=1,2>; rel="prev", <https://a/?page=3>; title=x; rel="next"'
        self.assertEqual(link(both), "https://a/?page=3")
        self.assertIsNone(link("<https://a/>; rel=last"))


class Gathering(unittest.TestCase):
    """Deleted, then created again."""

    def gathered(self, *pages: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
        """What a batch of these pages holds; each row is `+` or `-` and JSON."""

        def page(number: int, _: int, found: Found) -> More | Done:
            for sign, line in pages[number]:
                add = found.upserts.push_bytes if sign == "+" else found.delete_bytes
                add(line.encode(errors="surrogateescape"))
            return Done(0) if number + 1 == len(pages) else More(number + 1)

        batch = read_pages(TestHub(nobody), whole("x"), lambda: 0, page)
        deletes = batch.deletes.lines() if batch.deletes else []
        self.assertEqual(len(deletes), batch.deletes.count if batch.deletes else 0)
        return [line.decode(errors="surrogateescape") for line in batch.upserts.lines()], [line.decode() for line in deletes]

    def test_a_record_that_is_deleted_and_created_again_is_not_deleted(self) -> None:
        gone, again = ("-", '{"id":1}'), ("+", '{"id":1,"name":"new"}')
        other = ("+", '{"id":2}')
        self.assertEqual(self.gathered([gone], [other, again]), (['{"id":2}', '{"id":1,"name":"new"}'], []))
        self.assertEqual(self.gathered([other, gone, again]), (['{"id":2}', '{"id":1,"name":"new"}'], []))

    def test_the_vendors_last_word_counts(self) -> None:
        gone, here = ("-", '{"id":1}'), ("+", '{"id":1,"name":"old"}')
        self.assertEqual(self.gathered([here], [gone])[1], ['{"id":1}'])
        self.assertEqual(self.gathered([here, gone])[1], ['{"id":1}'])
        self.assertEqual(self.gathered([gone, here], [gone])[1], ['{"id":1}'])
        self.assertEqual(self.gathered([gone], [here, gone, here, ("-", '{"id":2}')])[1], ['{"id":2}'])

    def test_keys_are_compared_as_json_values(self) -> None:
        same = [
            ('{"id":7}', '{"name":"x","id":7.0}'),
            ('{"id":70}', '{"id":7e1}'),
            ('{"id":-0.0}', '{"id":0}'),
            ('{"id":12345678901234567890123}', '{"id":12345678901234567890123}'),
            ('{"id":"a\u00e9"}', '{ "\\u0069d" : "a\\u00e9" }'),
            ('{"id":"a/b\\n"}', '{"id":"a\\/b\\u000a"}'),
            ('{"id":"\\ud83d"}', '{"id":"\\ud83d"}'),
            ('{"a":1,"b":"x"}', '{"b":"x","c":3,"a":1}'),
            ('{"key":{"a":1,"b":2}}', '{"key":{"b":2,"c":3,"a":1.0}}'),
            ('{"id":[1,{"a":2}]}', '{"id":[ 1, {"a": 2} ]}'),
            ('{"id":null}', '{"id":null}'),
            ('{"id":1}', '{"id":1,"id":2}'),
            ('{"id":1%s}' % ("0" * 50), '{"id":1e50}'),
            ('{"a.b":"x"}', '{"a.b":"x"}'),
        ]
        for key, record in same:
            self.assertEqual(self.gathered([("-", key)], [("+", record)]), ([record], []), key)

    def test_other_keys_and_what_is_not_a_key_leave_the_delete_alone(self) -> None:
        deep = '{"id":' * 5_000 + "1" + "}" * 5_000
        different = [
            ('{"id":7}', '{"id":"7"}'),
            ('{"id":7}', '{"id":70}'),
            ('{"id":7}', '{"id":-7}'),
            ('{"id":7}', '{"id":7e40}'),
            ('{"id":0}', '{"id":0.5}'),
            ('{"id":"a"}', '{"id":"ab"}'),
            ('{"id":2}', '{"id":1,"id":2}'),
            ('{"id":12345678901234567890123}', '{"id":12345678901234567890124}'),
            ('{"id":1e1999999999999}', '{"id":1e1999999999998}'),
            ('{"id":"\\ud83d"}', '{"id":"\\ud83e"}'),
            ('{"id":"a"}', '{"id":"A"}'),
            ('{"id":"{1}"}', '{"id":{"1":1}}'),
            ('{"a":1,"b":2}', '{"a":1,"b":3}'),
            ('{"a":1,"b":2}', '{"a":1}'),
            ('{"key":{"a":1}}', '{"key":1}'),
            ('{"key":{"a":1}}', '{"key":[{"a":1}]}'),
            ('{"id":[1,2]}', '{"id":[1]}'),
            ('{"id":true}', '{"id":"true"}'),
            ('{"id":null}', '{}'),
            ('{}', '{"id":1}'),
            ('{"id":1}', '7'),
            ('{"id":1}', '{"id":1'),
            ('{"id":1}', 'x'),
            ('[1]', '[1]'),
            ('{"id":1', '{"id":1}'),
            ('{"id":1}', deep),
            (deep, '{"id":1}'),
        ]
        for key, record in different:
            self.assertEqual(self.gathered([("-", key)], [("+", record)]), ([record], [key]), key[:99])

    def test_a_page_that_fails_takes_its_part_back(self) -> None:
        def page(number: int, _: int, found: Found) -> More:
            if number == 0:
                found.delete({"id": 1})
                return More(1)
            found.upserts.push({"id": 1})
            found.delete({"id": 2})
            raise TransientError("x", "broke after its rows")

        batch = read_pages(TestHub(nobody), whole("x"), lambda: 0, page)
        self.assertEqual((batch.upserts.count, batch.deletes, batch.cursor), (0, Chunk(1, b'{"id":1}\n'), b"1"))


class Answers(unittest.TestCase):
    def fails(self, status: int, body: object = "", headers: dict[str, str] | None = None) -> Error:
        hub = TestHub(lambda _: json(status, body, headers))
        with self.assertRaises(Error) as caught:
            ACME.send(hub, Request.get("https://acme.test/").bucket("slow"))
        return caught.exception

    def test_the_status_decides_the_class_and_the_vendors_words_are_kept(self) -> None:
        classes = {
            302: OtherError,
            401: AuthError,
            403: PermissionError,
            404: PermanentError,
            408: TransientError,
            422: PermanentError,
            429: RateLimited,
            500: TransientError,
        }
        for status, kind in classes.items():
            self.assertIs(type(self.fails(status, "<p>")), kind)
        said = self.fails(400, {"error": {"code": "bad", "message": "no such field"}})
        self.assertEqual((str(said), said.status), ("acme.bad: acme answered 400: no such field", 400))
        half = self.fails(400, '{"error":{"code":"bad","message":"cut \\ud83d"}}')
        self.assertEqual(str(half), "acme.bad: acme answered 400: cut ?")
        self.assertIs(type(self.fails(500, "[" * 100_000)), TransientError)

    def test_a_wait_is_told_in_milliseconds(self) -> None:
        waits = {"3": 3000, "0.25": 250, "Wed, 21 Oct 2026 07:28:00 GMT": None, "-1": None, "": None, " 3 ": 3000, "1e308": None, "1_000": None, "9" * 20: None}
        for value, expected in waits.items():
            error = self.fails(429, "{}", {"Retry-After": value})
            assert isinstance(error, RateLimited)
            self.assertEqual((error.retry_after_ms, error.bucket), (expected, "slow"))

    def test_no_answer_is_transient_and_a_denial_is_configuration(self) -> None:
        tags = {"timeout": TransientError, "denied": ConfigError, "response-too-large": PermanentError, "cancelled": Cancelled}
        for tag, kind in tags.items():

            def refuse(_: Any, tag: Any = tag) -> Response:
                raise HttpError(tag, "why")

            with self.assertRaises(kind):
                ACME.send(TestHub(refuse), Request.get("x"))
        with self.assertRaises(TransientError):
            ACME.fetch(TestHub(lambda _: json(200, "<p>")), Request.get("x"))

    def test_addresses_are_encoded(self) -> None:
        self.assertEqual(encode("a/b é!~"), "a%2Fb%20%C3%A9%21~")


@dataclass
class Settings:
    list: str
    size: int = 7
    mode: Literal["a", "b"] = "a"


class Configuration(unittest.TestCase):
    def test_a_configuration_names_the_key_that_is_wrong(self) -> None:
        self.assertEqual(config.parse(Settings, '{"list": "x"}'), Settings("x"))
        wrong = {
            "": "missing field `list`",
            "[]": "an object was expected",
            '{"list": "x", "size": "many"}': '`config.size`: "many" is not an integer',
            '{"list": "x", "size": true}': "is not an integer",
            '{"list": "x", "sise": 1}': "unknown field `sise`",
            '{"list": "x", "mode": "c"}': "one of a, b",
        }
        for text, message in wrong.items():
            with self.assertRaises(ConfigError) as caught:
                config.parse(Settings, text)
            self.assertIn(message, str(caught.exception))


class Rows(unittest.TestCase):
    def test_rows_without_a_key_or_with_another_rows_are_failures(self) -> None:
        rows = chunk([{"email": "A@x "}, {"email": "a@X"}, {"n": 1}, {"email": " "}, {"email": "b", "n": 1}])
        kept, failures = keyed(ACME, WriteRequest("t", "upsert", rows, "k"), "email")
        self.assertEqual([(row.index, row.key, row.fields) for row in kept], [(0, "A@x ", {}), (4, "b", {"n": 1})])
        codes = [(one.index, one.code) for one in failures]
        self.assertEqual(codes, [(1, "acme.duplicate"), (2, "acme.no_email"), (3, "acme.no_email")])

    # I17
    def test_a_row_that_cannot_be_sent_costs_no_other_row(self) -> None:
        deep = "[" * 20_000 + "]" * 20_000
        for bad in [r'"\ud83d"', "1e400", "NaN", "-Infinity", deep]:
            lines = ['{"email":"a"}', f'{{"email":"b","bad":{bad}}}', '{"email":"c"}']
            for order in [[0, 1, 2], [1, 0, 2], [0, 2, 1], [1]]:
                text = "".join(f"{lines[at]}\n" for at in order)
                rows = Chunk(len(order), text.encode())
                kept, failures = keyed(ACME, WriteRequest("t", "upsert", rows, "k"), "email")
                self.assertEqual([row.key for row in kept], ["abc"[at] for at in order if at != 1], bad[:20])
                self.assertEqual([one.index for one in failures], [order.index(1)])


if __name__ == "__main__":
    unittest.main()
