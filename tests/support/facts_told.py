"""Facts as they are told: those that somebody waits for ride on the row that changed, a test listens to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.kernel import events as facts
from chalicelib.kernel.events import Envelope
from chalicelib.runtime import aws
from chalicelib.runtime.db import work


@contextmanager
def listening() -> Iterator[list[Envelope]]:
    """Collect what is committed in the block, oldest first."""
    told: list[Envelope] = []

    def hook(service: str, operation: str, params: dict[str, Any], proceed: Callable[[], dict[str, Any]]) -> Any:
        answer = proceed()
        if service == "dynamodb" and operation in ("PutItem", "TransactWriteItems"):
            for item in _put(params):
                if item.get("event_version") == item.get("version") and "events" in item:
                    told.extend(facts.decode_list(item["events"]["S"]))
        return answer

    with work.listening(told.extend), aws.hooked(hook):
        yield told


def _put(params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "Item" in params:
        yield params["Item"]
    for action in params.get("TransactItems", ()):
        if "Put" in action:
            yield action["Put"]["Item"]
