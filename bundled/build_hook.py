"""
Puts Speedscope, as npm has it, beside our static files when a wheel is built; hatch calls it.

The version and its checksum are pinned in package-lock.json. Where npm is missing or cannot reach its registry, the
wheel is built without it, with a warning, and the panel's button says so. An editable install takes what
``npm ci --prefix bundled`` has installed, and asks nobody.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / "node_modules" / "speedscope"
TARGET = HERE.parent / "src" / "perf_panels" / "static" / "perf_panels" / "speedscope"
# The sample that its start page offers.
LEFT_OUT = "perf-vertx-stacks-*"


# hatchling has not typed its base class.
# Hatchling is there while a wheel is built, and for mypy it is not.
class SpeedscopeHook(BuildHookInterface):  # type: ignore[misc, type-arg]
    """
    Copies the package's release and its licence; the wheel's ``artifacts`` take them in.
    """

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        if not PACKAGE.is_dir() and version != "editable" and (problem := install()):
            self.app.display_warning(f"Built without Speedscope: {problem}")
        if PACKAGE.is_dir():
            copy(TARGET)


def install() -> str:
    """
    Install the pinned package; return what went wrong, or "".
    """
    npm = shutil.which("npm")
    if npm is None:
        return "npm is missing."
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--loglevel=error"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"npm ci failed: {done.stderr.strip()[-300:]}"


def copy(target: Path) -> None:
    """
    Put the release and the licence of the installed package into ``target``, in the place of what is there.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(PACKAGE / "dist" / "release", target, ignore=shutil.ignore_patterns(LEFT_OUT))
    shutil.copyfile(PACKAGE / "LICENSE", target / "LICENSE")
