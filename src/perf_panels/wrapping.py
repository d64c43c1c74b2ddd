"""
Putting a function around one of Django's, once for each panel that does.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_MARK = "_perf_panels_made_by"


def wrap(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """
    Replace ``owner.name`` by ``make(owner.name)``; a second call with the same ``make`` does nothing.
    """
    original = getattr(owner, name)
    made_by = getattr(original, _MARK, ())
    identity = (getattr(make, "func", make), getattr(make, "args", ()))  # of a partial, which equals no other
    if identity in made_by:
        return
    wrapper = functools.wraps(original)(make(original))
    setattr(wrapper, _MARK, (*made_by, identity))
    setattr(owner, name, wrapper)
