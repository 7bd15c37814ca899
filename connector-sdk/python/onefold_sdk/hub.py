"""What a connector may ask of the hub. Inside a component this is the contract's imports; in a test it is whatever
looks like `Hub`. Owns the shapes of a request and an answer, not what a status means (that is `http`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

Level = Literal["trace", "debug", "info", "warn", "error"]
MacAlgorithm = Literal["hmac-sha1", "hmac-sha256", "hmac-sha512"]


@dataclass
class Request:
    method: str
    url: str
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    body: bytes | None = None
    credential: str | None = None
    bucket_name: str | None = None
    timeout_ms: int | None = None
    idempotent: bool = False


@dataclass(frozen=True)
class Response:
    status: int
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """A header by its name in any case, when it is text."""
        for known, value in self.headers:
            if known.lower() == name.lower():
                try:
                    return value.decode()
                except UnicodeDecodeError:
                    return None
        return None


HttpErrorTag = Literal["denied", "dns", "connect", "tls", "timeout", "response-too-large", "cancelled", "other"]


class HttpError(Exception):
    """Why no answer came. With `denied`, the text names the line of the manifest that would grant it."""

    def __init__(self, tag: HttpErrorTag, said: str | int = "") -> None:
        sentences = {
            "dns": f"the host's name was not found: {said}",
            "connect": f"no connection: {said}",
            "tls": f"no secure connection: {said}",
            "timeout": "no answer in time",
            "response-too-large": f"the answer is larger than {said} bytes",
            "cancelled": "cancelled",
        }
        super().__init__(sentences.get(tag, str(said)))
        self.tag = tag


class Hub(Protocol):
    """Everything that a connector can reach. No method blocks for ever: the hub bounds each."""

    def send(self, request: Request) -> Response:
        """Raises `HttpError` when no answer comes."""
        ...

    def log(self, level: Level, message: str, fields: dict[str, object] | None = None) -> None: ...

    def cancelled(self) -> bool:
        """True once the run should stop at the next safe point."""
        ...

    def remaining_ms(self) -> int:
        """Milliseconds until the hub interrupts this call."""
        ...

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC."""
        ...

    def progress(self, done: int, total: int | None = None, note: str | None = None) -> None: ...

    def count(self, metric: str, by: int) -> None: ...

    def mac(self, credential: str, algorithm: MacAlgorithm, data: bytes) -> bytes:
        """A signature with a key that only the hub holds. Raises `ValueError` when there is no such key."""
        ...

    def sha256(self, data: bytes) -> bytes: ...
