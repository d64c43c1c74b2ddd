"""
Who holds objects of one type: the shortest chains of references from a module, a running function or a class to them.

Searched on a click, in this process and at that moment, for a limited time. Nothing is called on the objects met, and
their types are looked at by ``type`` alone: ``isinstance`` would wake up a lazy object.
"""

from __future__ import annotations

import gc
import sys
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from time import perf_counter
from types import CellType, FrameType, FunctionType, ModuleType
from typing import Any

from perf_panels import heap
from perf_panels.memory.objects import type_name

BUDGET_MS = 3_000
MAX_DEPTH = 15
MAX_FRONTIER = 100
"""Referrers of one level that are followed further."""

MAX_TUPLES = 3
"""Tuples in each other that are looked through: none of them may be held (see ``heap``) but by what is found so."""

SAMPLES = 3

_KEYS = (str, int, bool, bytes, type(None))
_SEQUENCES = (list, tuple, deque)


@dataclass
class Found:
    """
    ``chains`` go from what holds to the object, as [{"text", "kind"}]; kinds are "root", "link" and "object".
    """

    name: str
    count: int = 0
    looked_at: int = 0
    chains: list[list[dict[str, str]]] = field(default_factory=list)
    elapsed_ms: float = 0.0
    stopped: dict[str, int] = field(default_factory=dict)
    """The limits at which it was stopped: "ms" for all objects, "steps" and "referrers" for one of them."""


def search(name: str) -> Found:
    """
    Find the chains to some objects of the type of this name.
    """
    began = perf_counter()
    found = Found(name)
    # What only waits to be collected leads nowhere.
    gc.collect()
    classes = [cls for cls in heap.count_by_type() if cls is not tuple and type_name(cls) == name]
    objects = [each for cls in classes for each in heap.of_type(cls)]
    found.count = len(objects)
    # The last are the newest: those of the request that was just made.
    samples = objects[-SAMPLES:]
    objects.clear()
    while samples and "ms" not in found.stopped:
        found.looked_at += 1
        chain = _Search(samples.pop(), began, hidden=(samples, objects)).run(found)
        if chain and chain not in found.chains:
            found.chains.append(chain)
    found.elapsed_ms = (perf_counter() - began) * 1000
    return found


class _Search:
    """
    Goes from one object to what refers to it, level by level: all referrers of a level are asked for at once.
    """

    def __init__(self, target: Any, began: float, hidden: tuple[Any, ...]) -> None:
        self.target = target
        self.began = began
        # How each object met is held: {id: (object, what holds it of it)}.
        self.next: dict[int, tuple[Any, Any]] = {id(target): (target, None)}
        self.hidden = {id(each) for each in (*hidden, hidden, self.__dict__, self, self.next)}
        self.roots = _module_dicts()
        self.cut = False
        self.hidden.add(id(self.roots))

    def run(self, found: Found) -> list[dict[str, str]]:
        frontier = [self.target]
        for _ in range(MAX_DEPTH):
            root, frontier = self._level(frontier, found)
            if root is not None:
                return self._described(root)
            if "ms" in found.stopped or not frontier:
                break
        else:
            found.stopped["steps"] = MAX_DEPTH
        if self.cut:
            found.stopped["referrers"] = MAX_FRONTIER
        return []

    def _level(self, frontier: list[Any], found: Found) -> tuple[Any, list[Any]]:
        """
        Return (a root, or None; the next level).
        """
        wanted = {id(each): each for each in frontier}
        own = {id(frontier), id(wanted), id(sys._getframe()), id(sys._getframe(1)), *self.hidden}
        further: list[Any] = []
        for through in range(MAX_TUPLES + 1):
            if self._is_late(found):
                break
            for holder in heap.holders(frontier, through):
                if self._is_late(found):
                    break
                if id(holder) in own or id(holder) in self.next or _is_ours(holder):
                    continue
                held = self._held(holder, wanted, through)
                if held is None:
                    continue
                self.next[id(holder)] = (holder, held)
                if id(holder) in self.roots or type(holder) is FrameType:
                    return holder, []
                further.append(holder)
            if through and further:
                break
        # Classes and modules first: they lead to the shortest answer.
        further.sort(key=lambda each: not issubclass(type(each), (type, ModuleType, FunctionType)))
        self.cut = self.cut or len(further) > MAX_FRONTIER
        return None, further[:MAX_FRONTIER]

    def _is_late(self, found: Found) -> bool:
        if (perf_counter() - self.began) * 1000 > BUDGET_MS:
            found.stopped["ms"] = BUDGET_MS
        return "ms" in found.stopped

    def _held(self, holder: Any, wanted: dict[int, Any], through: int) -> Any:
        """
        Return what of it this holder refers to, or the tuple by which it does.
        """
        for each in heap.referents([holder]):
            if id(each) in wanted:
                return each
            if through and type(each) is tuple:
                held = self._held(each, wanted, through - 1)
                if held is not None:
                    self.next[id(each)] = (each, held)
                    return each
        return None

    def _described(self, root: Any) -> list[dict[str, str]]:
        chain: list[dict[str, str]] = []
        holder: Any = root
        while holder is not None:
            held = self.next[id(holder)][1]
            kind = "root" if not chain else "link" if held is not None else "object"
            chain.append({"text": self._text(holder, held), "kind": kind})
            # An instance's dictionary is the instance's own business.
            holder = held
        return chain

    def _text(self, holder: Any, held: Any) -> str:
        if id(holder) in self.roots:
            return f"{self.roots[id(holder)]}{_key(holder, held, '.{}')}"
        if type(holder) is FrameType:
            names = [name for name, value in holder.f_locals.items() if value is held]
            place = f"{holder.f_code.co_name}() at {holder.f_code.co_filename}:{holder.f_lineno}"
            return f"{place}: {names[0]}" if names else place
        if type(holder) is CellType:
            return "a closure's variable"
        cls = type(holder)
        if type(holder) is FunctionType:
            return f"function {holder.__module__}.{holder.__qualname__}"
        if issubclass(cls, type):
            return f"class {type_name(holder)}"
        if held is None:
            return type_name(cls)
        if cls in {dict, OrderedDict}:
            return f"{cls.__name__}{_key(holder, held, '[{!r}]')}"
        if cls in _SEQUENCES:
            return f"{cls.__name__}{_index(holder, held)}"
        attributes = getattr(holder, "__dict__", {}) if cls.__dictoffset__ else {}
        return type_name(cls) + _key(attributes, held, ".{}")


def _key(mapping: Any, held: Any, text: str) -> str:
    for key, value in list(mapping.items()):
        if value is held:
            return text.format(key if len(str(key)) <= 80 else f"{str(key)[:80]}…") if type(key) in _KEYS else "[…]"
    return ""


def _index(sequence: Any, held: Any) -> str:
    return next((f"[{number}]" for number, each in enumerate(sequence) if each is held), "")


def _is_ours(holder: Any) -> bool:
    if type(holder) is FrameType:
        return bool(holder.f_globals.get("__name__") == __name__)
    return type(holder).__module__ == __name__


def _module_dicts() -> dict[int, str]:
    # Anybody may put anything there.
    modules: dict[str, Any] = dict(sys.modules)
    return {id(vars(module)): name for name, module in modules.items() if isinstance(module, ModuleType)}
