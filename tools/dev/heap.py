"""Memory that is free goes back to the system: a server that runs for days is not to hold what it needed once.

Each thread that allocates gets a part of the C library's heap for itself, and a part keeps what was freed in it: with a
thread for each connection, the holes between a few long-lived things grew with every order although nothing was kept.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable

ARENAS = 2
TRIM_S = 20.0
_M_ARENA_MAX = -8


def keep_small() -> Callable[[], None]:
    """Share the heap among threads, and give back from now on what is free; return what ends that.

    Where the C library is not glibc, whose calls these are, nothing happens.
    """
    trim = _trim()
    stopped = threading.Event()
    if trim is not None:
        threading.Thread(target=_regularly, args=(trim, stopped), name="heap", daemon=True).start()
    return stopped.set


def _regularly(trim: Callable[[], object], stopped: threading.Event) -> None:
    while not stopped.wait(TRIM_S):
        trim()


def _trim() -> Callable[[], object] | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    if not hasattr(library, "malloc_trim") or not hasattr(library, "gnu_get_libc_version"):
        return None
    library.mallopt(_M_ARENA_MAX, ARENAS)
    return lambda: library.malloc_trim(0)
