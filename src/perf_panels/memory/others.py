"""
Other requests of this process while one is measured: their memory is in every number of the process.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from asgiref.sync import AsyncToSync, SyncToAsync
from django.core.handlers.base import BaseHandler
from django.core.signals import request_finished, request_started

from perf_panels import afterwards
from perf_panels.memory import after
from perf_panels.memory.measurements import Others
from perf_panels.origins import slashed
from perf_panels.stacks import Stack, stacks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

_HANDLERS = "/django/core/handlers/"
_CALLED_BY_A_THREAD = AsyncToSync.main_wrap.__code__
_CALLED_BY_A_TASK = SyncToAsync.thread_handler.__code__
# Other tasks of a request under ASGI wait for the client to go away, and in Django 5.2 for this one.
_GETS_A_RESPONSE = BaseHandler.get_response_async.__code__


class Crowd:
    """
    Counts from ``start()`` to ``stop()``: those that run already, by their frames, and those that begin, by signals.
    """

    def __init__(self) -> None:
        self.counted = Others()
        self.running = 0

    def start(self) -> None:
        self.running = _in_flight()
        self.counted = Others(self.running, self.running)
        request_started.connect(self._started)
        request_finished.connect(self._finished)

    def stop(self) -> None:
        """
        Stop counting; a second call does nothing.
        """
        request_started.disconnect(self._started)
        request_finished.disconnect(self._finished)

    def _started(self, **_kwargs: Any) -> None:
        self.running += 1
        self.counted.requests += 1
        self.counted.most_at_once = max(self.counted.most_at_once, self.running)

    def _finished(self, **_kwargs: Any) -> None:
        self.running = max(0, self.running - 1)


def _in_flight() -> int:
    """
    Return how many requests of other threads and tasks are being handled at this moment, or finished afterwards.
    """
    others = stacks()
    # gevent and eventlet give greenlets for threads, if they were asked to.
    own = others.pop(threading.get_ident(), Stack([], []))
    threads = [stack.codes for stack in others.values() if _is_at_work(stack.codes)]
    try:
        loop_tasks = asyncio.all_tasks()
        own_task = asyncio.current_task()
    except RuntimeError:  # no event loop in this thread
        return len(threads)
    tasks = sum(_GETS_A_RESPONSE in _awaited(task.get_coro()) for task in loop_tasks if task is not own_task)
    found = tasks + sum(_CALLED_BY_A_TASK not in codes for codes in threads)
    # The thread of its own request waits for an async view under WSGI, a task for one behind middleware that is not
    # async.
    return max(0, found - (_CALLED_BY_A_THREAD in own.codes))


def _is_at_work(codes: list[CodeType]) -> bool:
    files = {code.co_filename for code in codes}
    # What a panel does after a response takes memory too, such as the plans of statements. Our own look gives way.
    return after.__file__ not in files and (
        afterwards.__file__ in files or any(_HANDLERS in slashed(file) for file in files)
    )


def _awaited(coroutine: Any) -> Iterator[CodeType]:
    for _ in range(200):
        code = getattr(coroutine, "cr_code", None)
        if code is None:
            return
        yield code
        coroutine = coroutine.cr_await
