from __future__ import annotations

import asyncio

from perf_panels.explain import awaiting


async def helper(event):
    await event.wait()


async def view(event):
    await helper(event)


async def test_the_innermost_project_line_is_where_a_task_waits():
    event = asyncio.Event()
    task = asyncio.create_task(view(event))
    await asyncio.sleep(0)

    site = awaiting.waiting_site(task)

    event.set()
    await task
    assert (site.file, site.line, site.function) == (__file__, helper.__code__.co_firstlineno + 1, "helper")


async def test_a_task_that_runs_or_is_over_waits_nowhere():
    event = asyncio.Event()
    event.set()
    task = asyncio.create_task(view(event))
    await task

    assert awaiting.waiting_site(asyncio.current_task()) is None
    assert awaiting.waiting_site(task) is None


def test_without_a_loop_there_is_no_task():
    assert awaiting.current_task() is None
