"""An exception that the connector did not expect, in one line: what it is, and where."""

from __future__ import annotations

from types import FrameType, TracebackType

_OWN = "onefold_sdk"


def described(error: BaseException) -> str:
    """`KeyError: 'when' (source.py:31, in read)`: the class, the message, and the last place outside the SDK."""
    text = str(error)
    what = type(error).__name__ + (f": {text}" if text else "")
    place = _place(error.__traceback__)
    return what if place is None else f"{what} ({place})"


def _place(trace: TracebackType | None) -> str | None:
    found: tuple[FrameType, int] | None = None
    while trace is not None:
        if found is None or _OWN not in trace.tb_frame.f_code.co_filename:
            found = trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next
    if found is None:
        return None
    code = found[0].f_code
    name = code.co_filename.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{name}:{found[1]}, in {code.co_name}"
