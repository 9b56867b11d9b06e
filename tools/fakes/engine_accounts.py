"""Copies everything one account of the embedded engine holds into another, in one call.

A test's account holds some hundred tables, queues and secrets; made one by one they cost more than most tests do.
"""

from __future__ import annotations

import io
import json
import pickle
import re
import sys
from collections.abc import Iterator
from typing import Any

from ministack.core import responses

PATH = "/_door/accounts"
SCOPED = (responses.AccountScopedDict, responses.AccountRegionScopedDict)
_ACCOUNT = re.compile(r"[0-9]{12}")
_snapshots: dict[str, bytes] = {}
"""What an account held when it was first copied."""


def serve(body: bytes) -> bool:
    """Do what a call asks: ``copy`` an account ``to`` another that holds nothing, and ``drop`` a third.

    An account is copied as it was when it was first copied. Returns False where the call does not say it so.
    """
    try:
        wanted = json.loads(body)
    except ValueError:
        return False
    if not isinstance(wanted, dict):
        return False
    source, target = str(wanted.get("copy")), str(wanted.get("to"))
    if not _ACCOUNT.fullmatch(source) or not _ACCOUNT.fullmatch(target):
        return False
    _drop(str(wanted.get("drop")))
    _copy(source, target)
    return True


def _copy(source: str, target: str) -> None:
    if source not in _snapshots:
        held = [
            (module, name, key, value)
            for module, name, store in _stores()
            for key, value in store._data.items()  # noqa: SLF001 -- all accounts' data are there
            if key[0] == source
        ]
        _snapshots[source] = pickle.dumps(held)
    # Numbers of accounts are equally long, so that ARNs and addresses may be rewritten where they stand.
    copied = pickle.load(io.BytesIO(_snapshots[source].replace(source.encode(), target.encode())))  # noqa: S301 -- ours
    for module, name, key, value in copied:
        vars(sys.modules[module])[name]._data[key] = value  # noqa: SLF001


def _drop(account: str) -> None:
    for _, _, store in _stores():
        for key in [key for key in store._data if key[0] == account]:  # noqa: SLF001
            del store._data[key]  # noqa: SLF001


def _stores() -> Iterator[tuple[str, str, Any]]:
    """Yield every store of the services that run: the module it is in, its name there, and itself."""
    for module in [name for name in sys.modules if name.startswith("ministack.services.")]:
        for name, value in list(vars(sys.modules[module]).items()):
            if isinstance(value, SCOPED):
                yield module, name, value
