"""Structured logs: one JSON object a line with the causal position. Ids and codes only, never personal data."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from chalicelib.kernel import clock, context

_logger = logging.getLogger("biandan")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        where = context.current()
        line: dict[str, Any] = {
            "time": clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "request_id": where.request_id,
            "cause_id": where.cause_id,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=str)


def _prepare() -> logging.Logger:
    if not _logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_JsonLines())
        _logger.addHandler(handler)
        _logger.setLevel(logging.INFO)
        _logger.propagate = False
    return _logger


def info(message: str, **fields: Any) -> None:
    """Log what happened."""
    _prepare().info(message, extra={"fields": fields})


def warning(message: str, **fields: Any) -> None:
    """Log what somebody should look at one day."""
    _prepare().warning(message, extra={"fields": fields})


def error(message: str, *, trace: bool = False, **fields: Any) -> None:
    """Log a fault; ``trace`` adds the current exception's traceback."""
    _prepare().error(message, extra={"fields": fields}, exc_info=trace)


def set_level(level: str) -> None:
    """Set the threshold (``INFO``, ``WARNING``, ...)."""
    _prepare().setLevel(level)
