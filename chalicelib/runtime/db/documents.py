"""Documents of rows: whole typed values as one attribute."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec
from pynamodb.attributes import Attribute
from pynamodb.constants import STRING

T = TypeVar("T")


class DocumentAttribute(Attribute[T], Generic[T]):
    """A whole typed document (frozen dataclass, tuple, dict) as JSON text: one attribute, 2-5 us, not a nested map."""

    attr_type = STRING

    def __init__(self, kind: Any, **options: Any) -> None:
        super().__init__(**options)
        self.kind = kind
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind)

    def serialize(self, value: Any) -> str:
        """Return the JSON text."""
        return msgspec.json.encode(value).decode()

    def deserialize(self, value: str) -> T:
        """Read the JSON text. Unknown fields are ignored, so that an old function can read a newer row."""
        return self._decoder.decode(value)  # type: ignore[no-any-return]
