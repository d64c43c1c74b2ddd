"""
What is kept of a function's source when a request is over, so that it can be shown later as it ran.

``keep`` is called by a panel's report; ``changed_since`` when the page is made.
"""

from __future__ import annotations

import hashlib
import linecache
import tokenize
from functools import lru_cache
from itertools import chain
from pathlib import Path
from time import time
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Kept = dict[str, Any]

_LOADED_AT = time()
"""The project's modules are imported after this one, as the server starts."""

WHOLE_LINES = 400
"""A function up to this long is kept whole."""
NEAR_LINES = 12
"""Of a longer one these are kept on either side of each line with numbers."""
HEAD_LINES = 4
LINE_CHARACTERS = 500


def keep(file: str, first: int, last: int, wanted: Iterable[int], *, code: CodeType | None = None) -> Kept:
    """
    Return the source from ``first`` to ``last`` in plain JSON types; of a long one only what is near ``wanted``.

    With ``code``, what ran, it is said whether that is what the file has.
    """
    lines = _read(file, first, last)
    last = first + len(lines) - 1
    numbers = range(first, last + 1)
    if len(lines) > WHOLE_LINES:
        near = chain.from_iterable(
            range(number - NEAR_LINES, number + NEAR_LINES + 1) for number in sorted(set(wanted))
        )
        kept = {number for number in chain(range(first, first + HEAD_LINES), near) if first <= number <= last}
    else:
        kept = set(numbers)
    pieces = [[piece[0], [_shortened(lines[number - first]) for number in piece]] for piece in runs_of(sorted(kept))]
    return {
        "file": file,
        "first": first,
        "last": last,
        "digest": _digest(lines),
        "pieces": pieces,
        "left_out": len(lines) - len(kept),
        "stale": code is not None and bool(lines) and not _is_current(code),
    }


def texts(kept: Kept | None) -> dict[int, str]:
    """
    Return the kept lines by their numbers.
    """
    pieces = kept["pieces"] if kept else []
    return {first + place: text for first, piece in pieces for place, text in enumerate(piece)}


def changed_since(kept: Kept) -> bool:
    """
    Return whether the file has other lines at this place now than when they were kept.
    """
    return bool(_digest(_read(kept["file"], kept["first"], kept["last"])) != kept["digest"])


def _is_current(code: CodeType) -> bool:
    """
    Return whether the file still has the code that runs; a server without autoreload keeps what it has loaded.
    """
    try:
        changed = Path(code.co_filename).stat().st_mtime_ns
        return changed / 1e9 < _LOADED_AT or code in _codes_of(code.co_filename, changed)
    except (OSError, SyntaxError, ValueError):
        return False


@lru_cache(maxsize=64)
def _codes_of(file: str, _changed: int) -> frozenset[CodeType]:
    found: set[CodeType] = set()
    waiting = [compile(Path(file).read_bytes(), file, "exec", dont_inherit=True)]
    while waiting:
        code = waiting.pop()
        found.add(code)
        waiting += [each for each in code.co_consts if isinstance(each, CodeType)]
    return frozenset(found)


def _read(file: str, first: int, last: int) -> list[str]:
    linecache.checkcache(file)
    try:
        lines = linecache.getlines(file)
    except (OSError, SyntaxError, UnicodeDecodeError, MemoryError, tokenize.TokenError):
        return []
    return [line.rstrip("\r\n") for line in lines[max(0, first - 1) : last]]


def _digest(lines: list[str]) -> str:
    return hashlib.blake2b("\n".join(lines).encode(errors="replace"), digest_size=8).hexdigest()


def _shortened(text: str) -> str:
    cut = len(text) - LINE_CHARACTERS
    return f"{text[:LINE_CHARACTERS]} … (+{cut})" if cut > 0 else text


def runs_of(numbers: Sequence[int]) -> Iterator[list[int]]:
    """
    Yield rising numbers in runs without a gap.
    """
    run: list[int] = []
    for number in numbers:
        if run and number != run[-1] + 1:
            yield run
            run = []
        run.append(number)
    if run:
        yield run
