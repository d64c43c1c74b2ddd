"""
More samples, the server's side: starts the process that replays the request, keeps what it finds, says how far it is.

The progress and the wish to stop are in the toolbar's store, so that any worker can answer a click. The thread that
reads the process lives in the worker that was asked first.
"""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from debug_toolbar.store import get_store
from django.db import connections
from django.utils.translation import gettext as _, ngettext

from perf_panels import actions, considerate, exclusive
from perf_panels.conf import get_config
from perf_panels.vmprof import PANEL_ID, replay_process
from perf_panels.vmprof.reduce import explain
from perf_panels.vmprof.replay import Merged, from_json
from perf_panels.vmprof.report import report

if TYPE_CHECKING:
    from django.http import HttpRequest

    Progress = dict[str, Any]

TOOL = "More samples"
MOST_SAMPLES = 200_000
"""More than this may not be asked for. Whoever asks for so many wants all that the seconds give."""
_PROGRESS = f"{PANEL_ID}.progress"
_STOP = f"{PANEL_ID}.stop"
_CRASHES_IN_A_ROW = 3
_SILENT_S = 15.0
"""Seconds without a word after which the thread that did the work is gone: its server was restarted."""
_STILL_S = 3.0
_SAVE_S = 0.3
_GONE_S = 5.0


def start(request: HttpRequest, request_id: str, stats: dict[str, Any], wanted: Progress) -> Progress:
    """
    Start replaying. Raises ``actions.Refused`` with a sentence where it cannot be.
    """
    job = replay_process.job_for(request, stats, wanted)
    try:
        exclusive.acquire(TOOL, stats["url"])
    except exclusive.Busy as busy:
        raise actions.Refused(
            _("More samples of %(holder)s are being taken. Stop that first, or wait.") % {"holder": busy.holder}
        ) from None
    try:
        _keep(request_id, _STOP, {"stop": False})
        replay = Replay(request_id, job, wanted)
        replay.tell("running")
        # A daemon: the server's end ends it, and the process with it, whose standard input closes.
        threading.Thread(target=replay.run, name="perf-panels-more-samples", daemon=True).start()
    except BaseException:
        exclusive.release(TOOL)
        raise
    return replay.progress


def progress(request_id: str) -> Progress:
    """
    Return how far it is.
    """
    found: Progress = get_store().panel(request_id, _PROGRESS) or {"state": "none"}
    if found["state"] == "running" and time.time() - found["said_at"] > _SILENT_S + found["chunk_s"]:
        return found | {"state": "failed", "sentence": _("The server that took the samples is gone. Start again.")}
    return found


def stop(request_id: str) -> Progress:
    """
    Ask for the end, and wait a moment for it.
    """
    for _attempt in range(20):
        # Written anew each time: two workers that write to one request can undo each other in the toolbar's stores.
        _keep(request_id, _STOP, {"stop": True})
        time.sleep(0.1)
        now = progress(request_id)
        if now["state"] != "running":
            return now
    return now


class Replay:
    """
    One wish for more samples, from its start to its report.
    """

    def __init__(self, request_id: str, job: dict[str, Any], wanted: Progress) -> None:
        self.request_id = request_id
        self.job = job
        self.period_ms = wanted["period_ms"]
        self.merged = Merged()
        self.statuses: set[int] = set()
        self.notes: list[str] = []
        self.began = time.monotonic()
        # Seconds that were asked for are seconds of sampling: the start of the process is not of them.
        self.sampling = wanted["samples"] < MOST_SAMPLES
        self.in_a_row = 0
        self.said = 0.0
        self.telling = threading.Lock()
        self.progress: Progress = {
            "state": "running",
            "samples": 0,
            "wanted": wanted["samples"],
            "seconds": wanted["seconds"],
            "by_time": wanted["samples"] >= MOST_SAMPLES,
            "runs": 0,
            "crashes": 0,
            "elapsed_s": 0.0,
            "engine": job["engine"],
            "chunk_s": job["chunk_s"],
            "said_at": time.time(),
            "sentence": _("Starting another process with this project."),
        }

    def run(self) -> None:
        """
        Take samples until there are enough, and store their report. Runs in a thread of its own.
        """
        state, sentence = "failed", ""
        try:
            state, sentence = self._take()
            self._store()
        except actions.Refused as gone:
            state, sentence = "failed", str(gone)
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it
            actions.logger.exception("More samples failed")
            state, sentence = "failed", f"{type(error).__name__}: {error}"
        finally:
            exclusive.release(TOOL)
            self.tell(state, sentence)
            connections.close_all()

    def tell(self, state: str, sentence: str = "") -> None:
        """
        Say how far it is, to whoever asks.
        """
        with self.telling:
            self.said = time.monotonic()
            self.progress |= {
                "state": state,
                "elapsed_s": round(self.said - self.began, 1),
                "said_at": time.time(),
            }
            if sentence or state != "running":
                self.progress["sentence"] = sentence
            _keep(self.request_id, _PROGRESS, self.progress)

    def _take(self) -> tuple[str, str]:
        while True:
            with tempfile.TemporaryFile() as errors:
                process = replay_process.start(self.job, errors)
                watch = threading.Thread(target=self._end_in_time, args=(process,), daemon=True)
                watch.start()
                try:
                    self._read(process)
                    # It said its last word, and may need a moment to be gone.
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(0 if self._ended() else _GONE_S)
                finally:
                    replay_process.end(process)
                    watch.join()
                if ended := self._ended():
                    return ended
                if process.returncode >= 0:
                    return "failed", replay_process.last_line(errors) or _("The process ended by itself.")
            if not self._crashed(process.returncode):
                return "failed", self.progress["sentence"]

    def _read(self, process: subprocess.Popen[str]) -> None:
        """
        Take in what the process says, until there is enough or it ends.
        """
        assert process.stdout is not None
        for line in process.stdout:
            if not line.endswith("\n"):
                break
            message = json.loads(line)
            if "samples" not in message:
                if not self.sampling:
                    self.sampling, self.began = True, time.monotonic()
                self.tell("running", _("Sampling."))
                continue
            self.in_a_row = 0
            self.statuses |= set(message["statuses"])
            samples = from_json(message["samples"])
            self.progress["samples"] += samples.count
            self.progress["runs"] += samples.runs
            self.merged.add(samples)
            if time.monotonic() - self.said > _SAVE_S:
                self.tell("running")
            if self._ended():
                break

    def _ended(self) -> tuple[str, str] | None:
        if not get_store().exists(self.request_id):
            return "failed", _("The request is no longer stored.")
        if self.progress["samples"] >= self.progress["wanted"]:
            return "done", ""
        limit_s = self.progress["seconds"] if self.sampling else get_config().VMPROF_REPLAY_SECONDS
        if time.monotonic() - self.began >= limit_s:
            if self.progress["by_time"] and self.progress["samples"]:
                return "done", ""
            return "done", _("It ended after %(seconds)d seconds.") % {"seconds": limit_s}
        if get_store().panel(self.request_id, _STOP).get("stop"):
            return "stopped", _("It was stopped. The samples so far are kept.")
        return None

    def _end_in_time(self, process: subprocess.Popen[str]) -> None:
        """
        End a process in the middle of a run, too, when it was stopped or its time is over; say that it goes on.
        """
        try:
            while process.poll() is None:
                if self._ended():
                    replay_process.end(process)
                    return
                if time.monotonic() - self.said > _STILL_S:
                    self.tell("running")
                time.sleep(0.2)
        finally:
            connections.close_all()

    def _crashed(self, code: int) -> bool:
        """
        Make the next crash cost less; return whether to try again.
        """
        self.in_a_row += 1
        self.progress["crashes"] += 1
        self.progress["sentence"] = _("The process crashed (%(signal)s).") % {"signal": signal.Signals(-code).name}
        if self.in_a_row > 2 * _CRASHES_IN_A_ROW:
            return False
        if self.in_a_row >= _CRASHES_IN_A_ROW and self.job["engine"] == "vmprof":
            self.job |= {
                "engine": "sampler",
                "period_ms": max(self.job["period_ms"], 1000 / replay_process.sampler_hz()),
            }
            self.progress["engine"] = "sampler"
            self.notes.append(_("vmprof crashed again and again, so the rest was taken by the safe sampler."))
        elif self.job["chunk_s"]:
            # The next crash costs one run.
            self.job["chunk_s"] /= 2
        self.tell("running")
        return True

    def _store(self) -> None:
        """
        Store the report in the place of the live request's.
        """
        samples = self.merged.samples()
        if samples is None or not samples.count:
            return
        samples.crashes = self.progress["crashes"]
        explain(samples)
        samples.notes += self.notes
        samples.notes += _status_notes(self.statuses, self.job["status"])
        if samples.crashes:
            crashed = ngettext(
                "The process crashed once; that cost what it had sampled in the last half second or run.",
                "The process crashed %(count)d times; each cost what it had sampled in the last half second or run.",
                samples.crashes,
            )
            samples.notes.append(crashed % {"count": samples.crashes})
        taken = {"taken_at": time.time()}
        found = report(samples) | {"engine": samples.engine, "state": "done", "replay": taken}
        found |= {"mode": samples.mode, "period_ms": self.period_ms}
        for _attempt in range(5):
            actions.update_stats(PANEL_ID, self.request_id, lambda stats: stats | found)
            time.sleep(0.1)
            # As in stop: the store may have lost it to a simultaneous write.
            if get_store().panel(self.request_id, PANEL_ID).get("replay") == taken:
                return


def _keep(request_id: str, key: str, value: Progress) -> None:
    """
    Store something of a request, unless it is gone: that would bring it back without its panels, in a real one's place.
    """
    store = get_store()
    if store.exists(request_id):
        considerate.save_panel(store, request_id, key, value)


def _status_notes(statuses: set[int], expected: int) -> list[str]:
    others = sorted(statuses - {expected})
    if not others:
        return []
    return [
        _("The replay answered %(others)s where the page had %(expected)d: it may not be the same page.")
        % {"others": ", ".join(map(str, others)), "expected": expected}
    ]
