"""The Chromium that pages are looked at in: Debian's, or the one that BIANDAN_CHROMIUM names. None is downloaded."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHES = (
    "--headless",
    "--no-sandbox",  # CI is root, whom Chromium refuses a sandbox.
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
MISSING = "no Chromium here: install Debian's package chromium, as .ci/run does, or name one in BIANDAN_CHROMIUM"


def found() -> str | None:
    """Return the browser's path, if there is one."""
    named = os.environ.get("BIANDAN_CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)
