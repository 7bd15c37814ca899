"""What a connector implements, and the calls that run it from the JSON of the contract. Owns no transport: a component
and a test go through the same functions."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Generic, TypeVar

from . import config as _config
from .hub import Hub
from .types import (
    AudienceChange,
    AudienceRef,
    Batch,
    CheckReport,
    ConfigError,
    Erasure,
    Identifier,
    Outcome,
    PermanentError,
    ReadRequest,
    StreamInfo,
    TargetInfo,
    WriteRequest,
)

C = TypeVar("C")


class Connector(Generic[C]):
    """What every connector is: its description, its configuration, and a proof that both work."""

    manifest: str
    """The text of `manifest.json`."""
    config_schema: str
    """The text of `config.schema.json`, JSON Schema 2020-12 of the configuration."""
    config_type: type[C]
    """The dataclass that the configuration is read into."""

    def check(self, hub: Hub, config: C) -> CheckReport:
        """Calls the vendor once."""
        raise NotImplementedError


class Source(Connector[C]):
    def discover(self, hub: Hub, config: C) -> list[StreamInfo]:
        """The streams; those of the manifest unless the vendor has to be asked."""
        return [
            StreamInfo(
                stream["name"],
                stream["title"],
                json.dumps(stream["schema"]),
                stream["primary_key"],
                stream.get("cursor_fields", []),
                json.dumps(stream.get("data_classes", {})),
                stream.get("supports_deletes", False),
            )
            for stream in json.loads(self.manifest).get("streams", [])
        ]

    def split(self, hub: Hub, config: C, stream: str, since: str | None) -> list[str]:
        """Parts that can be read side by side."""
        return [""]

    def read(self, hub: Hub, config: C, request: ReadRequest) -> Batch:
        raise NotImplementedError


class Destination(Connector[C]):
    def targets(self, hub: Hub, config: C) -> list[TargetInfo]:
        return [
            TargetInfo(
                target["name"],
                target["title"],
                json.dumps(target["schema"]),
                target["modes"],
                target["keys"],
                target["max_batch"],
            )
            for target in json.loads(self.manifest).get("targets", [])
        ]

    def write(self, hub: Hub, config: C, request: WriteRequest) -> Outcome:
        """A connector that takes audiences only leaves this as it is."""
        raise PermanentError("connector.cannot", "this connector cannot write rows: it takes audiences only")

    def poll(self, hub: Hub, config: C, job: str) -> Outcome | None:
        """None while the job goes on."""
        return Outcome()


class Audience(Connector[C]):
    def list_audiences(self, hub: Hub, config: C, page: str | None) -> tuple[list[AudienceRef], str | None]:
        """One page of audiences and the token of the next."""
        raise NotImplementedError

    def create(self, hub: Hub, config: C, name: str, options: str | None) -> AudienceRef:
        """Gives the audience of that name, making it when there is none."""
        raise NotImplementedError

    def add(self, hub: Hub, config: C, change: AudienceChange) -> Outcome:
        raise NotImplementedError

    def remove(self, hub: Hub, config: C, change: AudienceChange) -> Outcome:
        raise NotImplementedError

    def poll_audience(self, hub: Hub, config: C, job: str) -> Outcome | None:
        return Outcome()


class Privacy(Connector[C]):
    def erase_subject(self, hub: Hub, config: C, ids: list[Identifier], request_id: str) -> Erasure:
        raise NotImplementedError

    def poll_erasure(self, hub: Hub, config: C, job: str) -> Erasure:
        return Erasure("not-found")


class Calls:
    """The calls of the contract, with the configuration still as JSON text: `Calls(connector).read(hub, text, request)`."""

    def __init__(self, connector: Any) -> None:
        self._connector = connector

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._connector, name)
        kind = self._connector.config_type
        return lambda hub, text, *rest: method(hub, _config.parse(kind, text), *rest)


def document(name: str) -> str:
    """The text of `manifest.json` or `config.schema.json`: beside the folder that Python code is imported from, as in a
    project, or in it, as while a component is built. Read once, when the connector is imported."""
    for folder in map(Path, sys.path):
        for file in (folder / name, folder.parent / name):
            if file.is_file():
                return file.read_text(encoding="utf-8")
    raise FileNotFoundError(f"`{name}` lies neither in nor beside a folder of `sys.path`")


def unknown(kind: str, name: str) -> ConfigError:
    """An unknown stream, target or the like, in the manifest's or the hub's words."""
    return ConfigError(f"connector.unknown_{kind}", f"this connector has no {kind} `{name}`")
