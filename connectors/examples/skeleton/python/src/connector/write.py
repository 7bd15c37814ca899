"""Writing people."""

from __future__ import annotations

from onefold_sdk import ConfigError, Destination, Hub, Outcome, Request, WriteRequest, keyed, unknown

from .vendor import VENDOR, Config


class Writing(Destination[Config]):
    def write(self, hub: Hub, config: Config, request: WriteRequest) -> Outcome:
        # The targets of `manifest.json` and their modes.
        if request.target != "people":
            raise unknown("target", request.target)
        if request.mode != "upsert":
            raise ConfigError("helpdesk.mode", "people are only upserted")
        rows, failures = keyed(VENDOR, request, "email")
        if rows:
            body = b'{"people":[' + b",".join(row.line for row in rows) + b"]}"
            # `repeatable` where a repetition changes nothing: the hub then tries again by itself.
            VENDOR.send(hub, Request.post(config.at("/people")).json_bytes(body).auth("token").repeatable())
        # Add `Failure.rejected(row.index, code, message)` for each row that the vendor does not take.
        return Outcome.of(failures)
