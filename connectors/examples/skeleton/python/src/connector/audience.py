"""Lists and their members, erasing people."""

from __future__ import annotations

from onefold_sdk import (
    Audience,
    AudienceChange,
    AudienceRef,
    Erasure,
    Error,
    Hub,
    Identifier,
    Outcome,
    Privacy,
    Request,
    emails,
    encode,
    plain,
)

from .vendor import VENDOR, Config


class Audiences(Audience[Config], Privacy[Config]):
    def list_audiences(self, hub: Hub, config: Config, page: str | None) -> tuple[list[AudienceRef], str | None]:
        # The second value is the next `page`.
        found = VENDOR.fetch(hub, Request.get(config.at("/lists")).auth("token"))
        return [AudienceRef(one["id"], one["name"], None) for one in found["lists"]], None

    def create(self, hub: Hub, config: Config, name: str, options: str | None) -> AudienceRef:
        # The list of that name, made only when there is none.
        made = VENDOR.fetch(hub, Request.post(config.at("/lists")).json({"name": name}).auth("token").repeatable())
        return AudienceRef(made["id"], made["name"], None)

    def add(self, hub: Hub, config: Config, change: AudienceChange) -> Outcome:
        return members(hub, config, change, "add")

    def remove(self, hub: Hub, config: Config, change: AudienceChange) -> Outcome:
        return members(hub, config, change, "remove")

    def erase_subject(self, hub: Hub, config: Config, ids: list[Identifier], request_id: str) -> Erasure:
        email = plain(ids, "email")
        if email is None:
            return Erasure("manual", "people are found by a plain email only")
        try:
            VENDOR.send(hub, Request.post(config.at("/erase")).json({"email": email}).auth("token"))
        except Error as error:
            if error.status == 404:
                return Erasure("not-found")
            raise
        return Erasure("done", 1)


def members(hub: Hub, config: Config, change: AudienceChange, verb: str) -> Outcome:
    """Members who are in the list already, or no longer in it, count as done."""
    found, failures = emails(VENDOR, change)
    url = config.at(f"/lists/{encode(change.audience)}/{verb}")
    body = {"emails": [email for _, email in found]}
    VENDOR.send(hub, Request.post(url).json(body).auth("token").repeatable())
    return Outcome.of(failures)
