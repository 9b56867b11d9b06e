"""Base of the wire models. Unknown fields are refused; building a model's validator waits for its first use."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints

from chalicelib.kernel import clock, links
from chalicelib.kernel.money import CURRENCIES, Money


class Schema(BaseModel):
    """Base of everything that is read from or written to HTTP."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, defer_build=True, str_strip_whitespace=True, str_max_length=10_000
    )


_TEXT = PlainSerializer(clock.rfc3339, return_type=str, when_used="json")
Timestamp = Annotated[datetime, _TEXT]
"""RFC 3339 in UTC with milliseconds: ``2026-01-02T03:04:05.678Z``."""


def _written(value: Any) -> Any:
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC3339.match(value)):
        return value
    raise refusal("not_rfc3339", "send it as RFC 3339 text")


_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")
Moment = Annotated[
    datetime, BeforeValidator(_written), PlainSerializer(clock.rfc3339, return_type=str, when_used="json")
]
"""A time that somebody sends, as text: a number would be a guess at its unit."""


def _written_day(value: Any) -> Any:
    if isinstance(value, date) or (isinstance(value, str) and _DAY.match(value)):
        return value
    raise refusal("not_a_day", "send it as YYYY-MM-DD")


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
Day = Annotated[date, BeforeValidator(_written_day)]
"""A day that somebody sends, as text: a number would be read as seconds since 1970."""

Id = Annotated[str, StringConstraints(pattern=r"^[a-z]{3}_[0-9a-z]{24,26}(_[0-9]{2,3})?$", max_length=32)]
"""A prefixed id."""

ONE_LINE: Final = r"^[^\x00-\x1f\x7f]+$"
"""A pattern of texts without line ends and other control characters."""


def _once(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise refusal("repeated", "holds something twice")
    return values


EACH_ONCE: Final = (AfterValidator(_once), Field(json_schema_extra={"uniqueItems": True}))
"""What a list of texts is annotated with whose items are all different."""

Count = Annotated[int, Field(ge=1, le=9999, strict=True)]
"""How many of something."""


def _paid_in(currency: str) -> str:
    if currency not in CURRENCIES:
        raise refusal("unknown_currency", "is not a currency that anybody here is paid in")
    return currency


Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), AfterValidator(_paid_in)]
"""The ISO 4217 code of a currency that a provider takes. For what comes in; what was booked is shown as it is."""


WebAddress = Annotated[str, StringConstraints(pattern=links.ADDRESS, max_length=500)]
"""An absolute address over HTTP, fit to be followed and to be put into a page."""


PictureAddress = Annotated[str, StringConstraints(pattern=links.ADDRESS_OR_PATH, max_length=500)]
"""Where a picture lies: an absolute address or a path of the storefront's own; ``//host`` is neither."""


class MoneyView(Schema):
    """An amount in minor units beside its currency: ``{"minor": 1990, "currency": "CNY"}``."""

    minor: Annotated[int, Field(strict=True, ge=-(10**15), le=10**15)]
    currency: Currency = "CNY"

    @classmethod
    def of(cls, amount: Money) -> MoneyView:
        """Return the wire form of an amount."""
        return cls.model_construct(minor=amount.minor, currency=amount.currency)

    def money(self) -> Money:
        """Return the domain's amount."""
        return Money(self.minor, self.currency)


class Problem(Schema):
    """RFC 9457 problem document; further members depend on ``code`` (see docs/errors.md)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str


class PageQuery(Schema):
    """Query of every list: how many, and where to go on."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, StringConstraints(max_length=2000)] | None = None


OLD_NAME: Final[dict[str, Any]] = {"deprecated": True}
"""Marks a parameter in the OpenAPI document that has a new name; both are taken for now, but not together."""


def refuse_both(sent: Schema, name: str, old: str) -> None:
    """Refuse a request that says one thing under its name and its old name.

    Raises:
        PydanticCustomError: if it does, be it the same twice.
    """
    if {name, old} <= sent.model_fields_set:
        from pydantic_core import PydanticCustomError

        raise PydanticCustomError("sent_twice", "send {name} alone: {old} is its old name", {"name": name, "old": old})


def refusal(code: str, text: str) -> Exception:
    """Return what a validator raises where parts of a request do not fit; ``code`` names the rule to clients."""
    from pydantic_core import PydanticCustomError

    return PydanticCustomError(code, text)


def errors_of(error: Any) -> list[dict[str, str]]:
    """Return pydantic's findings as ``[{pointer, code, detail}]`` without the values that were sent."""
    return [
        {
            "pointer": "/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in found["loc"]),
            "code": found["type"],
            "detail": found["msg"],
        }
        for found in error.errors(include_url=False, include_context=False, include_input=False)[:20]
    ]
