"""Requests and what their answers mean: building a request, classing a status, reading a vendor's error body.
Retrying is the hub's."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from . import hub as _hub
from .hub import HttpError, Hub, Response
from .records import to_json
from .types import (
    AuthError,
    Cancelled,
    ConfigError,
    Error,
    OtherError,
    PermanentError,
    PermissionError,
    RateLimited,
    TransientError,
)

_LONGEST_MESSAGE = 500
_LONGEST_WAIT = 1e9
"""In seconds; whoever asks for more means something else."""
"""A vendor's text may be a whole page."""


class Request(_hub.Request):
    """A request; each method changes it and gives it back."""

    @classmethod
    def get(cls, url: str) -> Request:
        """Repeatable, as a GET is."""
        return cls("GET", url).repeatable()

    @classmethod
    def post(cls, url: str) -> Request:
        return cls("POST", url)

    @classmethod
    def put(cls, url: str) -> Request:
        return cls("PUT", url)

    @classmethod
    def delete(cls, url: str) -> Request:
        return cls("DELETE", url)

    def repeatable(self) -> Request:
        """The hub may send it again after a network error, a 429 or a 5xx."""
        self.idempotent = True
        return self

    def auth(self, credential: str) -> Request:
        """The credential that the hub adds, by name."""
        self.credential = credential
        return self

    def bucket(self, name: str) -> Request:
        """The rate bucket to wait for."""
        self.bucket_name = name
        return self

    def header(self, name: str, value: str) -> Request:
        self.headers.append((name, value.encode()))
        return self

    def query(self, name: str, value: str | int) -> Request:
        """Adds a query parameter, encoded."""
        mark = "&" if "?" in self.url else "?"
        self.url += f"{mark}{encode(name)}={encode(str(value))}"
        return self

    def json(self, body: object) -> Request:
        return self.json_bytes(to_json(body))

    def json_bytes(self, body: bytes) -> Request:
        """A body that is JSON already, for rows that must stay as they are."""
        self.body = body
        return self.header("Content-Type", "application/json")


@dataclass(frozen=True)
class Vendor:
    """How a vendor writes its errors: where the code and the message stand, as JSON pointers, best first."""

    name: str
    """Put before each code: `hubspot.VALIDATION_ERROR`."""
    code: list[str]
    message: list[str]

    def send(self, hub: Hub, request: _hub.Request) -> Response:
        """Sends, and turns everything but a 2xx into an error."""
        try:
            response = hub.send(request)
        except HttpError as error:
            raise self._unanswered(error) from error
        if 200 <= response.status < 300:
            return response
        raise self.refused(response, request.bucket_name)

    def fetch(self, hub: Hub, request: _hub.Request) -> Any:
        """Sends, and reads the answer as JSON."""
        response = self.send(hub, request)
        try:
            return json.loads(response.body)
        except (ValueError, RecursionError) as error:
            message = f"the answer is not the JSON that was expected: {error}"
            raise TransientError(self.own("malformed_answer"), message) from error

    def refused(self, response: Response, bucket: str | None = None) -> Error:
        """The class of a status that is no success."""
        status = response.status
        try:
            body = json.loads(response.body)
        except (ValueError, RecursionError):
            body = None
        code = self.own(_text(body, self.code) or str(status))
        message = _capped(_text(body, self.message) or "no reason was given")
        error = _class_of(status)(code, f"{self.name} answered {status}: {message}", status)
        if isinstance(error, RateLimited):
            error.retry_after_ms = _retry_after_ms(response)
            error.bucket = bucket
        return error

    def own(self, code: str) -> str:
        """A code with the vendor's name before it."""
        return f"{self.name}.{_capped(code)}"

    def _unanswered(self, error: HttpError) -> Error:
        match error.tag:
            case "cancelled":
                return Cancelled()
            case "denied":
                return ConfigError("http.denied", str(error))
            case "response-too-large":
                return PermanentError("http.too_large", str(error))
            case _:
                return TransientError("http.no_answer", f"{self.name} did not answer: {error}")


def _class_of(status: int) -> type[Error]:
    match status:
        case 401:
            return AuthError
        case 403:
            return PermissionError
        case 429:
            return RateLimited
        case 408 | 425:
            return TransientError
        case _ if status >= 500:
            return TransientError
        case _ if status >= 400:
            return PermanentError
        case _:
            return OtherError


def _text(body: Any, pointers: list[str]) -> str | None:
    """The first pointer that leads to something, as text."""
    for pointer in pointers:
        found = body
        for key in pointer.split("/")[1:]:
            found = found.get(key) if isinstance(found, dict) else None
        if found is not None:
            return found if isinstance(found, str) else json.dumps(found)
    return None


def _retry_after_ms(response: Response) -> int | None:
    """`Retry-After` in seconds; the form with a date is the hub's to read, which has seen it too."""
    text = (response.header("retry-after") or "").strip()
    if not re.fullmatch(r"[0-9]+(\.[0-9]*)?", text):
        return None
    seconds = float(text)
    return int(seconds * 1_000) if seconds <= _LONGEST_WAIT else None


def _capped(text: str) -> str:
    # Half a character, which JSON can spell, is no text.
    text = text.encode(errors="replace").decode()
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"


def encode(text: str) -> str:
    """Percent-encoding for one part of a path or a query: everything but letters, digits and `-._~`."""
    return quote(text, safe="-._~")


def base(url: str) -> str:
    """A base address without the slash at its end."""
    return url.rstrip("/")
