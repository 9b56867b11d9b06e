"""Builds the pages beside a running dev server: it answers at once, and serves them when they are done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from tools.dev.faces import ROOT, UNBUILT, Faces

BUSY = "It is being built right now: look again in a minute. 正在构建，请一分钟后再看。"


class Builder:
    """Runs ``tools.web.build`` as a process of its own."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._running: subprocess.Popen[str] | None = None

    def start(self, faces: Faces) -> None:
        """Begin, and tell of each step as it is made; without Node say what is missing."""
        self._say("\n  pages")
        faces.note = BUSY
        self._running = subprocess.Popen(
            [sys.executable, "-m", "tools.web.build"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._follow, args=(self._running, faces), name="building", daemon=True).start()

    def _follow(self, running: subprocess.Popen[str], faces: Faces) -> None:
        for line in running.stdout or ():
            self._say(f"  {line.rstrip()}")
        if running.wait():
            self._say("    shop and console are not built; the API needs neither")
        faces.note = UNBUILT

    def stop(self) -> None:
        """End it with all that it started."""
        if self._running is not None and self._running.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._running.pid, signal.SIGTERM)
            self._running.wait(20)
