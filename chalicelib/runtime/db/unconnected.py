"""PynamoDB's models without its connections.

Rows describe, serialize and condition; every call goes through ``runtime.aws``. PynamoDB imports its connection layer
together with its models, and that imports nearly all of botocore: two thirds of a queue function's cold start, for
something that is never called. While the models are imported, two small stand-ins take that layer's place. Whoever
calls through a row after all (``row.save()``) is told so, instead of passing by the hooks unseen.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pynamodb.models import Model
else:

    class Unconnected:
        """Takes the place of ``MetaTable`` and ``TableConnection``."""

        def __init__(self, *_: Any, **__: Any) -> None:
            raise RuntimeError("rows make no calls: use runtime.db.reads and runtime.db.work")

    def _models() -> type:
        layer = {name: ModuleType(f"pynamodb.connection{name}") for name in ("", ".base", ".table")}
        layer[".base"].MetaTable = layer[".table"].TableConnection = Unconnected
        ours = {module.__name__: module for module in layer.values() if module.__name__ not in sys.modules}
        sys.modules.update(ours)
        try:
            from pynamodb import models
        finally:
            for name in ours:
                del sys.modules[name]
        return models.Model

    Model = _models()

__all__ = ["Model"]
