"""
vmprof's own file format: read what a session wrote, write a file that ``vmprofshow`` opens.

vmprof's reader takes 37 ms for a thousand samples and needs the names in the file; this one takes a tenth of it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.vmprof.samples import Frame, Samples

_MEMORY, _LINES = 1, 2
_VERSION = 7
_TAG_STACK, _TAG_NAME, _TAG_END, _TAG_HEADER, _TAG_TIME, _TAG_META = 1, 2, 3, 5, 6, 7
_STATIC_HEADER_BYTES = 5 * 8
_TIME_AND_ZONE_BYTES = 8 + 8 + 8
# Two threads that are sampled at once read one descriptor: the one that got nothing leaves the memory out, and the time
# stands in its place. As kilobytes a terabyte, as nanoseconds a second after the machine was started.
_NO_MEMORY_KB = 2**30
# How much time one sample may stand for in vmprof's reader.
_LARGEST_GAP_US = 1_000_000


class Record(NamedTuple):
    """
    One sample: the ids of its code objects, the outermost first, its lines if they were asked for, and when it was.

    ``at_ns`` is CPU time of the process in CPU mode, and the monotonic clock in wall mode.
    """

    codes: tuple[int, ...]
    lines: tuple[int, ...] | None
    thread: int
    rss_bytes: int | None
    at_ns: int


def read(data: bytes) -> Iterator[Record]:
    """
    Yield the samples of a file of format 7, the one that vmprof 0.6 writes. A record cut short ends it.
    """
    position = _STATIC_HEADER_BYTES
    mode = 0
    size = len(data)
    while position < size:
        tag = data[position]
        position += 1
        if tag == _TAG_STACK:
            if position + 16 > size:
                return
            depth = struct.unpack_from("<q", data, position + 8)[0]
            words = min(depth + 2 + (mode & _MEMORY), (size - position - 16) // 8)
            if words < depth + 2:
                return
            values = struct.unpack_from(f"<{words}q", data, position + 16)
            if mode & _MEMORY and values[depth + 1] >= _NO_MEMORY_KB:
                values = values[: depth + 2]
            position += 16 + len(values) * 8
            yield _record(values, depth, mode)
        elif tag == _TAG_HEADER:
            version, mode, length = struct.unpack_from(">hBB", data, position)
            if version != _VERSION:
                raise ValueError(f"vmprof wrote format {version} and not {_VERSION}")
            position += 4 + length
        elif tag == _TAG_META:
            for _ in range(2):
                position += 8 + struct.unpack_from("<q", data, position)[0]
        elif tag == _TAG_NAME:
            position += 16 + struct.unpack_from("<q", data, position + 8)[0]
        elif tag == _TAG_TIME:
            position += _TIME_AND_ZONE_BYTES
        elif tag == _TAG_END:
            return
        else:
            raise ValueError(f"unknown record {tag} at {position - 1} of a vmprof file")


def _record(values: tuple[int, ...], depth: int, mode: int) -> Record:
    if mode & _LINES:
        codes, lines = values[depth - 1 :: -2] if depth else (), values[depth - 2 :: -2] if depth else ()
    else:
        codes, lines = values[depth - 1 :: -1] if depth else (), None
    rss_bytes = values[depth + 1] * 1024 if len(values) > depth + 2 else None
    return Record(codes, lines, values[depth], rss_bytes, values[-1])


def write(samples: Samples) -> bytes:
    """
    Return the profile as a file of vmprof's, in which every sample has the weight that the panel shows.
    """
    period_us = max(1, round(samples.period_ms_asked * 1000))
    # What comes from the store has none: equal stacks are together there.
    memory = samples.mode == "memory" and any(stack.rss_bytes is not None for stack in samples.stacks)
    parts = [
        struct.pack("<5q", 0, 3, 0, period_us, 0),
        struct.pack(">BhBB", _TAG_HEADER, _VERSION, _MEMORY if memory else 0, 7) + b"cpython",
        struct.pack("<B2q8s", _TAG_TIME, 0, 0, b""),
    ]
    for key, value in ((b"os", b"linux"), (b"bits", b"64")):
        parts.append(struct.pack("<Bq", _TAG_META, len(key)) + key + struct.pack("<q", len(value)) + value)
    clock_us = 0.0
    # The first sample of a file weighs one period, whatever its time: a sample of nothing stands in its place.
    parts.append(_stack((), 0, 0 if memory else None))
    for stack in samples.stacks:
        addresses = tuple(_address(index) for index in reversed(stack.frames))
        left_us = stack.weight_ms * 1000
        while left_us > 0:
            gap_us = min(left_us, _LARGEST_GAP_US)
            clock_us += gap_us
            left_us -= gap_us
            rss_kb = (stack.rss_bytes or 0) // 1024 if memory else None
            parts.append(_stack(addresses, round(clock_us * 1000), rss_kb))
    for index, frame in enumerate(samples.frames):
        name = _name(frame)
        parts.append(struct.pack("<B2q", _TAG_NAME, _address(index), len(name)) + name)
    parts.append(struct.pack("<B2q8s", _TAG_END, 0, round(clock_us), b""))
    return b"".join(parts)


def _stack(addresses: tuple[int, ...], at_ns: int, rss_kb: int | None) -> bytes:
    words = (1, len(addresses), *addresses, 1, *(() if rss_kb is None else (rss_kb,)), at_ns)
    return struct.pack(f"<B{len(words)}q", _TAG_STACK, *words)


def _address(index: int) -> int:
    # Even, as an odd one would be native code, and not 0.
    return (index + 1) * 16


def _name(frame: Frame) -> bytes:
    # vmprof splits at colons, from the left for the file: "py:function:first line:file".
    function = (frame.function or "?").replace(":", " line ")
    return f"py:{function}:{frame.first_line}:{frame.file or '-'}".encode(errors="backslashreplace")
