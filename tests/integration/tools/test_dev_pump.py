"""The dev server's pump ends with all that it runs."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from chalicelib.runtime.db import dynamo
from tools.dev import functions
from tools.dev.pump import Pump


def test_a_job_that_waits_and_those_behind_it_do_not_outlast_the_pump(
    cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended, ran = threading.Event(), threading.Event(), []

    def waits(*_: Any) -> None:
        begun.set()
        dynamo.sleep(3600)
        ended.set()

    jobs = {"waits": waits, "behind": lambda *_: ran.append("behind"), functions.RELAY: lambda *_: None}
    monkeypatch.setattr(functions, "queue_functions", list)
    monkeypatch.setattr(functions, "resolve", jobs.__getitem__)
    monkeypatch.setattr(
        functions,
        "scheduled_functions",
        lambda: [functions.ScheduledFunction(name, 60) for name in ("waits", "behind")],
    )
    pump = Pump()
    pump.start()
    assert begun.wait(60)
    assert dynamo.sleep is not time.sleep
    pump.stop()
    assert ended.is_set()
    assert ran == []
    assert dynamo.sleep is time.sleep
