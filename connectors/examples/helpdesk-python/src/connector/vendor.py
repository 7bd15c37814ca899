"""What every part needs of the vendor: its words for errors, the configuration, where it is."""

from __future__ import annotations

from dataclasses import dataclass

from onefold_sdk import Vendor, base

VENDOR = Vendor(name="helpdesk", code=["/error/code"], message=["/error/message"])


@dataclass(frozen=True)
class Config:
    base_url: str = "https://desk.example.com"
    page_size: int = 200

    def at(self, path: str) -> str:
        return base(self.base_url) + path
