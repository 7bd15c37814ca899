"""The connector: its documents, its parts, and a proof that they work."""

from __future__ import annotations

from onefold_sdk import CheckReport, Hub, Request, document

from .audience import Audiences
from .read import Reading
from .vendor import VENDOR, Config
from .write import Writing


class Helpdesk(Reading, Writing, Audiences):
    manifest = document("manifest.json")
    config_schema = document("config.schema.json")
    config_type = Config

    def check(self, hub: Hub, config: Config) -> CheckReport:
        me = VENDOR.fetch(hub, Request.get(config.at("/v1/me")).auth("token"))
        warnings = [] if "write" in me["scopes"] else ["the token may read but not write"]
        return CheckReport(me["account"], warnings)
