"""Tagging contacts, erasing them."""

from __future__ import annotations

import json
from typing import Any

from onefold_sdk import (
    Audience,
    AudienceChange,
    AudienceRef,
    Erasure,
    Error,
    Failure,
    Hub,
    Identifier,
    Outcome,
    Privacy,
    Request,
    TransientError,
    emails,
    encode,
    plain,
)

from .vendor import VENDOR, Config

MEMBERS = 100
"""Most members that the vendor takes at once."""


class Audiences(Audience[Config], Privacy[Config]):
    def list_audiences(self, hub: Hub, config: Config, page: str | None) -> tuple[list[AudienceRef], str | None]:
        request = Request.get(config.at("/v1/tags")).auth("token")
        if page is not None:
            request.query("after", page)
        answer = VENDOR.fetch(hub, request)
        return [audience(tag) for tag in answer["tags"]], answer["next"]

    def create(self, hub: Hub, config: Config, name: str, options: str | None) -> AudienceRef:
        """The vendor gives the tag of that name when there is one."""
        request = Request.post(config.at("/v1/tags")).json({"name": name}).auth("token").repeatable()
        return audience(VENDOR.fetch(hub, request))

    def add(self, hub: Hub, config: Config, change: AudienceChange) -> Outcome:
        return members(hub, config, change, "add")

    def remove(self, hub: Hub, config: Config, change: AudienceChange) -> Outcome:
        return members(hub, config, change, "remove")

    def erase_subject(self, hub: Hub, config: Config, ids: list[Identifier], request_id: str) -> Erasure:
        email = plain(ids, "email")
        if email is None:
            return Erasure("manual", "contacts are found by a plain email only")
        try:
            request = Request.post(config.at("/v1/contacts/erase")).json({"email": email}).auth("token")
            erased = VENDOR.fetch(hub, request)["erased"]
        except Error as error:
            if error.status == 404:
                return Erasure("not-found")
            raise
        evidence = json.dumps({"erased": erased, "request_id": request_id}, separators=(",", ":"))
        return Erasure("done", erased, evidence)


def audience(tag: dict[str, Any]) -> AudienceRef:
    return AudienceRef(tag["id"], tag["name"], tag.get("size"))


def members(hub: Hub, config: Config, change: AudienceChange, verb: str) -> Outcome:
    """Adding somebody who is there, or removing somebody who is not, is no failure, so a try can be repeated."""
    found, failures = emails(VENDOR, change)
    url = config.at(f"/v1/tags/{encode(change.audience)}/members")
    for start in range(0, len(found), MEMBERS):
        some = found[start : start + MEMBERS]
        request = Request.post(url).json({verb: [email for _, email in some]}).auth("token").repeatable()
        failures += refused([index for index, _ in some], VENDOR.fetch(hub, request))
    return Outcome.of(failures)


def refused(places: list[int], answer: Any) -> list[Failure]:
    """The rows that the vendor did not take. It gives one answer a row, in the rows' order."""
    results = answer.get("results", [])
    if len(results) != len(places):
        message = f"{len(places)} rows were sent, and the answer is about {len(results)}"
        raise TransientError(VENDOR.own("malformed_answer"), message)
    return [
        Failure.rejected(place, VENDOR.own(result["code"]), result.get("message") or result["code"])
        for place, result in zip(places, results)
        if result["status"] == "error"
    ]
