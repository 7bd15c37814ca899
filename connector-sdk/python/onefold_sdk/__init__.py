"""Write Onefold connectors in Python. A connector is a class with the methods of `connector`, and `component.exports`
turns it into a WebAssembly component; the same class runs in a test over the hub of `testing`. The SDK owns
configuration, error classes, paging and the cutting of records out of pages. It knows no vendor."""

from .connector import Audience, Calls, Connector, Destination, Privacy, Source, document, unknown
from .found import Found
from .http import Request, Vendor, base, encode
from .hub import HttpError, Hub, Response
from .paging import (
    Done,
    More,
    next_after,
    next_cursor,
    next_link,
    next_offset,
    next_page,
    read_pages,
)
from .records import Page, Row, Rows, cut
from .rows import KeyedRow, emails, folded, keyed
from .types import *  # noqa: F403
