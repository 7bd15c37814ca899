"""A connector as a component: the hub behind the contract's imports, and the exports in the shapes that
`componentize-py` wants. Only `onefold connector build` can resolve the imports; tests use `testing`."""

from __future__ import annotations

# Only what is imported while the component is made is there later. These are imported by Python itself, when a time is read or a
# text of a vendor is decoded.
import _strptime  # noqa: F401
import encodings.cp1250  # noqa: F401
import encodings.cp1251  # noqa: F401
import encodings.cp1252  # noqa: F401
import encodings.iso8859_2  # noqa: F401
import encodings.iso8859_15  # noqa: F401
import json
from importlib import import_module
from typing import Any, Callable

from componentize_py_types import Err
from wit_world.imports import crypto, http, log, run
from wit_world.imports import types as wire

from . import types
from .connector import Calls
from .faults import described
from .hub import HttpError, Request, Response


class _Hub:
    """The hub behind the contract's imports."""

    def send(self, request: Request) -> Response:
        asked = http.Request(
            request.method,
            request.url,
            [http.Header(name, value) for name, value in request.headers],
            request.body,
            request.credential,
            request.bucket_name,
            request.timeout_ms,
            request.idempotent,
        )
        try:
            answer = http.send(asked)
        except Err as error:
            tag = _TAGS[type(error.value)]
            raise HttpError(tag, getattr(error.value, "value", "")) from error
        return Response(answer.status, [(header.name, header.value) for header in answer.headers], answer.body)

    def log(self, level: str, message: str, fields: dict[str, object] | None = None) -> None:
        log.write(log.Level[level.upper()], message, None if fields is None else json.dumps(fields))

    def cancelled(self) -> bool:
        return run.cancelled()

    def remaining_ms(self) -> int:
        return run.remaining_ms()

    def now_ms(self) -> int:
        return run.now_ms()

    def progress(self, done: int, total: int | None = None, note: str | None = None) -> None:
        run.progress(done, total, note)

    def count(self, metric: str, by: int) -> None:
        run.count(metric, by)

    def mac(self, credential: str, algorithm: str, data: bytes) -> bytes:
        try:
            return crypto.mac(credential, crypto.MacAlg[algorithm.replace("-", "_").upper()], data)
        except Err as error:
            raise ValueError(error.value) from error

    def sha256(self, data: bytes) -> bytes:
        return crypto.sha256(data)


_TAGS: dict[type, Any] = {
    http.HttpError_Denied: "denied",
    http.HttpError_Dns: "dns",
    http.HttpError_Connect: "connect",
    http.HttpError_Tls: "tls",
    http.HttpError_Timeout: "timeout",
    http.HttpError_ResponseTooLarge: "response-too-large",
    http.HttpError_Cancelled: "cancelled",
    http.HttpError_Other: "other",
}

_CLASSES: list[tuple[type, type]] = [
    (types.ConfigError, wire.Error_Config),
    (types.AuthError, wire.Error_Auth),
    (types.PermissionError, wire.Error_Permission),
    (types.TransientError, wire.Error_Transient),
    (types.PermanentError, wire.Error_Permanent),
    (types.CursorExpired, wire.Error_CursorExpired),
]


def exports(connector: Any, *interfaces: str) -> list[type]:
    """The classes that a component exports: `Meta, Source = exports(Helpdesk(), "meta", "source")`, with the interfaces
    of the component's world."""
    makers = {
        "meta": _meta,
        "source": _source,
        "destination": _destination,
        "audience": _audience,
        "privacy": _privacy,
    }
    return [makers[name](connector, import_module(f"wit_world.exports.{name}")) for name in interfaces]


def _answer(work: Callable[[], Any]) -> Any:
    """Gives what `work` gives; an error of the SDK becomes one of the contract, any other one a fault of the connector."""
    try:
        return work()
    except types.Error as error:
        raise Err(_failure(error)) from error
    except Err:
        raise
    except Exception as error:
        detail = wire.Detail("sdk.exception", described(error), None, None)
        raise Err(wire.Error_Other(detail)) from error


def _failure(error: types.Error) -> Any:
    if isinstance(error, types.Cancelled):
        return wire.Error_Cancelled()
    it = error.detail
    detail = wire.Detail(it.code, it.message, it.http_status, it.data)
    if isinstance(error, types.RateLimited):
        return wire.Error_RateLimited(wire.RateLimit(detail, error.retry_after_ms, error.bucket))
    for kind, bound in _CLASSES:
        if isinstance(error, kind):
            return bound(detail)
    return wire.Error_Other(detail)


def _meta(connector: Any, bound: Any) -> type:
    calls = Calls(connector)

    class Meta:
        def manifest(self) -> str:
            return connector.manifest

        def config_schema(self) -> str:
            return connector.config_schema

        def check(self, config: str) -> Any:
            report = _answer(lambda: calls.check(_Hub(), config))
            return bound.CheckReport(report.account, report.warnings)

    return Meta


def _source(connector: Any, bound: Any) -> type:
    calls = Calls(connector)

    class Source:
        def discover(self, config: str) -> Any:
            return [bound.StreamInfo(**vars(one)) for one in _answer(lambda: calls.discover(_Hub(), config))]

        def split(self, config: str, stream: str, since: str | None) -> list[str]:
            return _answer(lambda: calls.split(_Hub(), config, stream, since))

        def read(self, req: Any) -> Any:
            request = types.ReadRequest(
                req.stream, req.part, req.cursor, req.since, req.until, req.max_records, req.max_bytes
            )
            batch = _answer(lambda: calls.read(_Hub(), req.config, request))
            deletes = None if batch.deletes is None else _to_wire(batch.deletes)
            return bound.Batch(_to_wire(batch.upserts), deletes, batch.cursor, batch.done)

    return Source


def _destination(connector: Any, bound: Any) -> type:
    calls = Calls(connector)

    class Destination:
        def targets(self, config: str) -> Any:
            found = _answer(lambda: calls.targets(_Hub(), config))
            return [bound.Target(**{**vars(one), "modes": [_enum(bound.Mode, mode) for mode in one.modes]}) for one in found]

        def write(self, req: Any) -> Any:
            def work() -> types.Outcome:
                request = types.WriteRequest(
                    req.target, _word(req.mode), _from_wire(req.rows), req.idempotency_key, req.verify
                )
                return calls.write(_Hub(), req.config, request)

            return _outcome(bound, _answer(work))

        def poll(self, config: str, job: str) -> Any:
            return _outcome(bound, _answer(lambda: calls.poll(_Hub(), config, job)))

    return Destination


def _audience(connector: Any, bound: Any) -> type:
    calls = Calls(connector)

    class Audience:
        def list_audiences(self, config: str, page: str | None) -> Any:
            found, following = _answer(lambda: calls.list_audiences(_Hub(), config, page))
            return [bound.AudienceRef(**vars(one)) for one in found], following

        def create(self, config: str, name: str, options: str | None) -> Any:
            return bound.AudienceRef(**vars(_answer(lambda: calls.create(_Hub(), config, name, options))))

        def add(self, change: Any) -> Any:
            return _outcome(bound, _answer(lambda: calls.add(_Hub(), change.config, _change(change))))

        def remove(self, change: Any) -> Any:
            return _outcome(bound, _answer(lambda: calls.remove(_Hub(), change.config, _change(change))))

        def poll(self, config: str, job: str) -> Any:
            return _outcome(bound, _answer(lambda: calls.poll_audience(_Hub(), config, job)))

    return Audience


def _privacy(connector: Any, bound: Any) -> type:
    calls = Calls(connector)

    class Privacy:
        def erase_subject(self, config: str, ids: list[Any], request_id: str) -> Any:
            plain = [_identifier(one) for one in ids]
            return _erasure(bound, _answer(lambda: calls.erase_subject(_Hub(), config, plain, request_id)))

        def poll_erasure(self, config: str, job: str) -> Any:
            return _erasure(bound, _answer(lambda: calls.poll_erasure(_Hub(), config, job)))

    return Privacy


def _to_wire(chunk: types.Chunk) -> Any:
    return wire.Chunk("json-lines", chunk.count, chunk.data)


def _from_wire(chunk: Any) -> types.Chunk:
    if chunk.encoding != "json-lines":
        message = f"rows came in the encoding `{chunk.encoding}`, which this connector does not know"
        raise types.PermanentError("sdk.encoding", message)
    return types.Chunk(chunk.count, chunk.data)


def _outcome(bound: Any, outcome: types.Outcome | None) -> Any:
    if outcome is None:
        return None
    return bound.Outcome([bound.Failure(**vars(one)) for one in outcome.failures], outcome.job)


def _change(change: Any) -> types.AudienceChange:
    members = [types.Member([_identifier(one) for one in member.ids], member.traits) for member in change.members]
    return types.AudienceChange(change.audience, members, change.idempotency_key, change.verify)


def _identifier(one: Any) -> types.Identifier:
    return types.Identifier(_word(one.kind), _word(one.form), one.value)


def _erasure(bound: Any, erasure: types.Erasure) -> Any:
    match erasure.status:
        case "done":
            status = bound.Status_Done(erasure.value)
        case "pending":
            status = bound.Status_Pending(erasure.value)
        case "manual":
            status = bound.Status_Manual(erasure.value)
        case _:
            status = bound.Status_NotFound()
    return status, erasure.evidence


def _word(case: Any) -> Any:
    """The contract's spelling of an enum's case."""
    return case.name.lower().replace("_", "-")


def _enum(kind: Any, word: str) -> Any:
    return kind[word.upper().replace("-", "_")]
