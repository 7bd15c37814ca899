"""What every part needs of the vendor: its words for errors, the configuration, where it is."""

from __future__ import annotations

from dataclasses import dataclass

from onefold_sdk import Vendor, base

# Where the answer to a refused request has an error's code and message.
VENDOR = Vendor(name="helpdesk", code=["/error/code"], message=["/error/message"])


@dataclass(frozen=True)
class Config:
    # A field for each property of `config.schema.json`.
    base_url: str = "https://api.example.com"

    def at(self, path: str) -> str:
        return base(self.base_url) + path
