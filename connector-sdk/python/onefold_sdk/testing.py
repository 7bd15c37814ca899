"""A hub for tests: answers requests by a function or a script, remembers what was asked, keeps a fixed clock. Runs
without WebAssembly."""

from __future__ import annotations

import hashlib
import hmac
import json as _json
from typing import Any, Callable, Iterable

from .hub import Request, Response
from .types import Batch, Chunk, ReadRequest


class TestHub:
    """A hub that never leaves the process."""

    __test__ = False

    def __init__(self, answer: Callable[[Request], Response]) -> None:
        """Answers every request by a function, which may be a small vendor with a state of its own."""
        self._answer = answer
        self._keys: dict[str, bytes] = {}
        self._cancelled = False
        self._left: list[tuple[str, Response]] = []
        self._now_ms = 1_700_000_000_000
        self.sent: list[Request] = []
        self.logged: list[str] = []

    @classmethod
    def script(cls, lines: Iterable[tuple[str, Response]]) -> TestHub:
        """Answers by a script: each request has to begin as the next line says (`GET https://…`), in that order."""
        left = list(lines)

        def answer(request: Request) -> Response:
            asked = f"{request.method} {request.url}"
            assert left, f"the script is over, but `{asked}` came"
            start, response = left.pop(0)
            assert asked.startswith(start), f"expected `{start}`, got `{asked}`"
            return response

        hub = cls(answer)
        hub._left = left
        return hub

    def key(self, credential: str, key: bytes) -> TestHub:
        """A key for `mac`."""
        self._keys[credential] = key
        return self

    def cancel(self) -> TestHub:
        self._cancelled = True
        return self

    def set_now_ms(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def bodies(self) -> list[Any]:
        """The JSON bodies of the requests that had one."""
        return [_json.loads(request.body) for request in self.sent if request.body]

    def finish(self) -> None:
        """Fails the test when a line of the script was never asked for."""
        assert not self._left, f"{len(self._left)} lines of the script were never asked for"

    def send(self, request: Request) -> Response:
        self.sent.append(request)
        return self._answer(request)

    def log(self, level: str, message: str, fields: dict[str, object] | None = None) -> None:
        self.logged.append(message)

    def cancelled(self) -> bool:
        return self._cancelled

    def remaining_ms(self) -> int:
        return 60_000

    def now_ms(self) -> int:
        return self._now_ms

    def progress(self, done: int, total: int | None = None, note: str | None = None) -> None:
        pass

    def count(self, metric: str, by: int) -> None:
        pass

    def mac(self, credential: str, algorithm: str, data: bytes) -> bytes:
        if credential not in self._keys:
            raise ValueError(f"no credential `{credential}`")
        return hmac.digest(self._keys[credential], data, algorithm.removeprefix("hmac-"))

    def sha256(self, data: bytes) -> bytes:
        return hashlib.sha256(data).digest()


def json(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    """An answer with a JSON body; a text is taken as it is."""
    text = body if isinstance(body, str) else _json.dumps(body)
    return Response(status, [(name, value.encode()) for name, value in (headers or {}).items()], text.encode())


def chunk(rows: Iterable[object]) -> Chunk:
    """Rows for a `write`."""
    lines = [_json.dumps(row).encode() + b"\n" for row in rows]
    return Chunk(len(lines), b"".join(lines))


def read_all(request: ReadRequest, read: Callable[[ReadRequest], Batch]) -> tuple[list[bytes], list[bytes], bytes]:
    """Calls `read` until it is done and gives the rows, the deletes and the last cursor."""
    upserts: list[bytes] = []
    deletes: list[bytes] = []
    for _ in range(10_000):
        batch = read(request)
        assert len(batch.upserts.lines()) == batch.upserts.count
        upserts += batch.upserts.lines()
        deletes += batch.deletes.lines() if batch.deletes else []
        if batch.done:
            return upserts, deletes, batch.cursor
        request = request.at(batch.cursor)
    raise AssertionError("the stream never ends")


def whole(stream: str) -> ReadRequest:
    """A request for the whole of a stream."""
    return ReadRequest(stream)


def from_cursor(stream: str, cursor: bytes) -> ReadRequest:
    """A request that goes on from a cursor."""
    return ReadRequest(stream, cursor=cursor)
