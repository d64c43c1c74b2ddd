"""
Takes our frames out of the traceback of an exception that leaves the view: error pages show what they always show.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType

_OWN_DIR = str(Path(__file__).parent)


def is_own(code: CodeType) -> bool:
    """
    Return whether a frame of this code is there because of the profile, and is of no use to a reader of it.
    """
    return code.co_filename.startswith(_OWN_DIR)


def clean(error: BaseException) -> None:
    """
    Unlink our entries below the view hook's, in the traceback of the exception and of those it came from.
    """
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        entry = one.__traceback__
        while entry is not None:
            following = entry.tb_next
            while following is not None and is_own(following.tb_frame.f_code):
                following = following.tb_next
            if following is not entry.tb_next:
                entry.tb_next = following
            entry = following
        waiting += [one.__cause__, one.__context__]
