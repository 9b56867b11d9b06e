"""What a server needed once and freed does not stay with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

SCRIPT = """
import os, sys, threading, time
from pathlib import Path
from tools.dev import heap

heap.TRIM_S = 0.2
if sys.argv[1] == "small":
    heap.keep_small()
kept = []

def work():
    # Long-lived things among short-lived ones, above the size for which Python has pools of its own.
    blocks = [bytes(1_000 + number % 7_000) for number in range(4_000)]
    kept.extend(blocks[::400])

for _ in range(12):
    threads = [threading.Thread(target=work) for _ in range(12)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
time.sleep(1)
print(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1_000_000)
"""


def held_mb(how: str) -> int:
    found = subprocess.run([sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True)
    return int(found.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library is another one")
def test_freed_memory_goes_back_although_long_lived_things_lie_between() -> None:
    assert held_mb("small") < held_mb("as it is") * 0.7
