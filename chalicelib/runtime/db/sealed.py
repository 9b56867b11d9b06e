"""A document of a row that is sealed on its way to the table and opened when somebody looks at it.

Rooms see the plain value. The table, its backups, its stream and whoever may read them see bytes. Rows of before hold
it as plain text under the same name, and are read all the same; their next change seals it.
"""

from __future__ import annotations

import base64
from typing import Any, Generic, TypeVar, cast

from pynamodb.constants import BINARY

from chalicelib.kernel.later import Later
from chalicelib.runtime.config import setting
from chalicelib.runtime.db.documents import DocumentAttribute

T = TypeVar("T")
Raw = dict[str, Any]
SWITCH = "BIANDAN_SEALING"
"""``off`` while functions of a release before this one still read what is written (docs/upgrading.md)."""


def is_on() -> bool:
    """Say whether values are sealed."""
    return setting(SWITCH) != "off"


def kept_plain(value: Later[T]) -> T | None:
    """Return what goes where the release before this one reads it: nothing, once values are sealed."""
    return None if is_on() else value()


class SealedDocument(DocumentAttribute[T], Generic[T]):
    """As :class:`DocumentAttribute`; a value may also be given and taken as a :class:`Later`, unopened."""

    attr_type = BINARY

    def __get__(self, instance: Any, owner: Any) -> Any:
        """Return the plain value: this is where it is opened."""
        value = super().__get__(instance, owner)
        return value() if isinstance(value, Later) else value

    def closed(self, raw: Raw, place: str) -> Later[T]:
        """Return what a table holds, unopened."""
        return Closed(raw, place, self)

    def sealed(self, value: T | Later[T], place: str) -> Raw:
        """Return what a table holds of a value. What was not opened is given back as it came."""
        if isinstance(value, Closed) and is_on():
            raw = value.raw_at(place)
            if raw is not None:
                return raw
        plain = value() if isinstance(value, Later) else value
        if not is_on():
            return {"S": self.plain(cast("T", plain)).decode()}
        from chalicelib.runtime.seals import ring

        return {"B": base64.b64encode(ring.seal(self.plain(cast("T", plain)), place)).decode()}

    def plain(self, value: T) -> bytes:
        """Return the document's text."""
        return super().serialize(value).encode()

    def opened(self, raw: Raw, place: str) -> T:
        """Return the value of what a table holds.

        Raises:
            NotSealedHere, Misconfigured: as :func:`seals.ring.unseal`.
        """
        if "S" in raw:
            return self.deserialize(raw["S"])
        from chalicelib.runtime.seals import ring

        return self.deserialize(ring.unseal(base64.b64decode(raw["B"]), place).decode())

    def serialize(self, value: Any) -> str:  # noqa: ARG002 - as PynamoDB's
        """Refuse to be written by itself: only a row knows the place that the value is bound to."""
        raise TypeError("a sealed document is written with its whole row")


class Closed(Later[T], Generic[T]):
    """What a table holds, until somebody looks."""

    __slots__ = ("_place", "_raw")

    def __init__(self, raw: Raw, place: str, attribute: SealedDocument[T]) -> None:
        super().__init__(lambda: attribute.opened(raw, place))
        self._raw, self._place = raw, place

    def raw_at(self, place: str) -> Raw | None:
        """Return the sealed form if it is one, of this very place."""
        return self._raw if place == self._place and "B" in self._raw else None
