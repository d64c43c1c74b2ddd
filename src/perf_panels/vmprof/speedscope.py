"""
A profile in the formats of other tools, and the copy of Speedscope that a wheel brings along.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.templatetags.static import static

import perf_panels
from perf_panels.vmprof.tree import together

if TYPE_CHECKING:
    from perf_panels.vmprof.samples import Frame, Samples

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_VIEWER = "perf_panels/speedscope/index.html"


def viewer_url() -> str:
    """
    Return where the bundled Speedscope is served, or "" where this installation has none.
    """
    return static(_VIEWER) if (Path(perf_panels.__file__).parent / "static" / _VIEWER).is_file() else ""


def speedscope(samples: Samples, name: str) -> dict[str, Any]:
    """
    Return the profile in Speedscope's file format: one profile for the view, one for the render.
    """
    stacks = together(samples)
    profiles = []
    for phase in dict.fromkeys(stack[0] for stack in stacks):
        own = [stack for stack in stacks if stack[0] == phase]
        profiles.append(
            {
                "type": "sampled",
                "name": f"{name} ({phase})",
                "unit": "milliseconds",
                "startValue": 0,
                "endValue": sum(weight_ms for _, _, weight_ms, _ in own),
                "samples": [list(frames) for _, frames, _, _ in own],
                "weights": [weight_ms for _, _, weight_ms, _ in own],
            }
        )
    return {
        "$schema": SCHEMA,
        "name": name,
        "exporter": f"django-perf-panels {perf_panels.__version__}",
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(frame) for frame in samples.frames]},
        "profiles": profiles,
    }


def collapsed(samples: Samples) -> str:
    """
    Return one line a stack: its frames joined by semicolons, the outermost first, and the number of samples.
    """
    names = [_words(frame) for frame in samples.frames]
    lines = [
        f"{';'.join([phase, *(names[frame] for frame in frames)])} {count}"
        for phase, frames, _weight_ms, count in together(samples)
    ]
    return "".join(f"{line}\n" for line in sorted(lines))


def _frame(frame: Frame) -> dict[str, Any]:
    line = frame.template_line or frame.line or frame.first_line
    return {"name": frame.function or "?", "file": frame.file} | ({"line": line} if line > 0 else {})


def _words(frame: Frame) -> str:
    name = frame.function if frame.template else f"{frame.function} ({Path(frame.file).name}:{frame.first_line})"
    return " ".join(name.replace(";", ",").split()) or "?"
