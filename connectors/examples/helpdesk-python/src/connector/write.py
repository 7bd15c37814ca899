"""Writing contacts."""

from __future__ import annotations

from onefold_sdk import ConfigError, Destination, Hub, Outcome, Request, WriteRequest, keyed, unknown

from .audience import refused
from .vendor import VENDOR, Config


class Writing(Destination[Config]):
    def write(self, hub: Hub, config: Config, request: WriteRequest) -> Outcome:
        """The vendor gives a repeated key its first answer again, so a batch without an answer is simply sent once more."""
        if request.target != "contacts":
            raise unknown("target", request.target)
        if request.mode != "upsert":
            raise ConfigError("helpdesk.mode", "contacts are only upserted")
        rows, failures = keyed(VENDOR, request, "email")
        if rows:
            body = b'{"contacts":[' + b",".join(row.line for row in rows) + b"]}"
            upsert = Request.post(config.at("/v1/contacts/upsert")).json_bytes(body).auth("token").repeatable()
            upsert.header("Idempotency-Key", request.idempotency_key)
            answer = VENDOR.fetch(hub, upsert)
            failures += refused([row.index for row in rows], answer)
        return Outcome.of(failures)
