"""Numbers of rows: the same on the wire as PynamoDB's, which takes each whole number through a JSON encoder."""

from __future__ import annotations

from typing import Any

from pynamodb import attributes


class NumberAttribute(attributes.NumberAttribute):
    """A number; nearly all of ours are whole."""

    def serialize(self, value: Any) -> str:
        """Return the text that DynamoDB takes."""
        return str(value) if type(value) is int else super().serialize(value)

    def deserialize(self, value: str) -> Any:
        """Read DynamoDB's text; a whole number comes back as one."""
        return int(value) if value.isascii() and value.lstrip("-").isdigit() else super().deserialize(value)
