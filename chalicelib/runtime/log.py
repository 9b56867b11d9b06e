"""Structured logs: one JSON object a line with the causal position. Ids and codes only, never personal data."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from typing import Any

from chalicelib.kernel import clock, context
from chalicelib.runtime.config import config

_LONGEST_CHAIN = 10
_logger = logging.getLogger("biandan")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        where = context.current()
        line: dict[str, Any] = {
            "time": clock.rfc3339(clock.now()),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "request_id": where.request_id,
            "cause_id": where.cause_id,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = _trace(record.exc_info[1]) if record.exc_info[1] else ""
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=str)


def _trace(error: BaseException) -> str:
    """Return where it happened and what kind it was. What an exception says may quote what a person typed, so its
    words are only shown on a laptop.
    """
    if config().is_local:
        return "".join(traceback.format_exception(error))
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None and len(parts) < _LONGEST_CHAIN:
        frames = [
            f"  {frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(current.__traceback__)
        ]
        parts.append("\n".join([*frames, " ".join([type(current).__name__, *_codes(current)])]))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\nfrom\n".join(parts)


def _codes(error: BaseException) -> list[str]:
    """Return the stable code of an error of ours or of AWS's."""
    response = getattr(error, "response", None)
    told = response.get("Error") if isinstance(response, dict) else None
    code = told.get("Code") if isinstance(told, dict) else getattr(error, "code", None)
    return [code] if isinstance(code, str) else []


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
