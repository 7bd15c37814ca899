"""The words of the contract as plain Python types: what a call gets, what it gives back, how it fails."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Iterable, Literal


@dataclass(frozen=True)
class Detail:
    """Facts about a failure."""

    code: str
    """Stable, in the connector's own words, such as `hubspot.VALIDATION_ERROR`."""
    message: str
    http_status: int | None = None
    data: str | None = None
    """More facts as JSON."""


class Error(Exception):
    """Why a call failed. The subclasses are sorted by what the hub does next."""

    def __init__(self, code: str, message: str, http_status: int | None = None, data: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.detail = Detail(code, message, http_status, data)

    @classmethod
    def of(cls, detail: Detail) -> Error:
        """A failure of this class with the facts of another."""
        return cls(detail.code, detail.message, detail.http_status, detail.data)

    @property
    def status(self) -> int | None:
        """The vendor's status, when the vendor answered."""
        return self.detail.http_status


class ConfigError(Error):
    """The operator must change the configuration."""


class AuthError(Error):
    """The credential was refused."""


class PermissionError(Error):
    """The credential is good but lacks a right."""


class RateLimited(Error):
    """Wait, then call again."""

    retry_after_ms: int | None = None
    bucket: str | None = None


class TransientError(Error):
    """The same call may work later."""


class PermanentError(Error):
    """The same call will never work."""


class CursorExpired(Error):
    """Read the stream from its start."""


class Cancelled(Error):
    """The hub asked to stop."""

    def __init__(self) -> None:
        super().__init__("cancelled", "the hub asked to stop")


class OtherError(Error):
    """What fits no other class."""


@dataclass(frozen=True)
class Chunk:
    """JSON lines: one object a line, `\\n` after each."""

    count: int = 0
    data: bytes = b""

    def lines(self) -> list[bytes]:
        """Each line, without its end."""
        return [line for line in self.data.split(b"\n") if line]


@dataclass(frozen=True)
class CheckReport:
    account: str | None = None
    """The account's name or id at the vendor."""
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class StreamInfo:
    name: str
    title: str
    schema: str
    """JSON Schema of one record."""
    primary_key: list[str]
    cursor_fields: list[str]
    data_classes: str
    """JSON object: path in the record to class of data."""
    supports_deletes: bool


@dataclass(frozen=True)
class ReadRequest:
    stream: str
    part: str = ""
    cursor: bytes | None = None
    since: str | None = None
    until: str | None = None
    max_records: int = 1_000
    max_bytes: int = 1 << 24

    def at(self, cursor: bytes) -> ReadRequest:
        """The same request from a cursor on."""
        return replace(self, cursor=cursor)


@dataclass(frozen=True)
class Batch:
    """What one `read` returns. The hub applies the upserts before the deletes, so a key that is in both is deleted; see
    `Found`. Between batches it keeps the order."""

    upserts: Chunk
    deletes: Chunk | None
    """Objects with the primary key fields only."""
    cursor: bytes
    """Where the next batch begins. It is committed together with the rows, or not at all."""
    done: bool
    """Nothing more to read for now."""


Mode = Literal["upsert", "update-only", "create-only", "delete"]


@dataclass(frozen=True)
class TargetInfo:
    name: str
    title: str
    schema: str
    modes: list[Mode]
    keys: list[str]
    max_batch: int


@dataclass(frozen=True)
class WriteRequest:
    target: str
    mode: Mode
    rows: Chunk
    idempotency_key: str
    verify: bool = False
    """An earlier try ended without an answer: look first."""


@dataclass(frozen=True)
class Failure:
    """A row that the vendor did not take."""

    index: int
    retryable: bool
    code: str
    message: str

    @classmethod
    def rejected(cls, index: int, code: str, message: str) -> Failure:
        """A row that will not do better on another try."""
        return cls(index, False, code, message)


@dataclass(frozen=True)
class Outcome:
    """Rows that are not named succeeded."""

    failures: list[Failure] = field(default_factory=list)
    job: str | None = None

    @classmethod
    def of(cls, failures: Iterable[Failure]) -> Outcome:
        """One failure a row, in the rows' order."""
        first: dict[int, Failure] = {}
        for failure in failures:
            first.setdefault(failure.index, failure)
        return cls(sorted(first.values(), key=lambda failure: failure.index))


IdKind = Literal["email", "phone", "external-id", "device", "address"]
IdForm = Literal["plain", "sha256-hex"]


@dataclass(frozen=True)
class Identifier:
    kind: IdKind
    form: IdForm
    value: str

    @classmethod
    def email(cls, value: str) -> Identifier:
        return cls("email", "plain", value)


def plain(ids: Iterable[Identifier], kind: IdKind) -> str | None:
    """The first plain identifier of a kind."""
    return next((one.value for one in ids if one.kind == kind and one.form == "plain"), None)


@dataclass(frozen=True)
class Member:
    ids: list[Identifier]
    traits: str | None = None


@dataclass(frozen=True)
class AudienceRef:
    id: str
    name: str
    size: int | None = None


@dataclass(frozen=True)
class AudienceChange:
    audience: str
    members: list[Member]
    idempotency_key: str
    verify: bool = False


@dataclass(frozen=True)
class Erasure:
    """How an erasure stands. `value` is how many records were erased when `status` is `done`, a job for
    `poll_erasure` when it is `pending`, and what somebody has to do when it is `manual`."""

    status: Literal["done", "pending", "not-found", "manual"]
    value: int | str | None = None
    evidence: str | None = None
    """JSON for the audit log."""
