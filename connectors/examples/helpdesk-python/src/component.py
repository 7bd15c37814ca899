"""What the build compiles: the connector as the exports of its world."""

from connector.connector import Helpdesk
from onefold_sdk.component import exports

Meta, Source, Destination, Audience, Privacy = exports(
    Helpdesk(), "meta", "source", "destination", "audience", "privacy"
)
