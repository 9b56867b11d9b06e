"""Known bugs of returns: goods sold as new that are not, a replacement from nowhere, an order that does not wait."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from tools.sim.bugs import Bugs

BUGS = Bugs()


@BUGS.called("what was opened is sold as new")
def _sell_opened() -> AbstractContextManager[Any]:
    from chalicelib.returns.domain import Return

    def as_new(self: Return, taken: Mapping[str, int]) -> dict[str, int]:
        found: dict[str, int] = {}
        for part in self.parts:
            if part.graded and part.graded.came:
                found[part.line_id] = min(part.graded.came, max(0, taken.get(part.line_id, 0)))
        return found

    return patch.object(Return, "as_new", as_new)


@BUGS.called("a replacement is not taken from stock")
def _replace_from_nowhere() -> AbstractContextManager[Any]:
    from chalicelib.returns import acting

    real = acting.exchanging

    def exchanging(*given: Any) -> acting.Change:
        return replace(real(*given), takes=None)

    return patch.object(acting, "exchanging", exchanging)


@BUGS.called("an order confirms itself while goods go back")
def _wait_for_no_return() -> AbstractContextManager[Any]:
    from chalicelib.orders import returns, units

    return patch.object(returns, "units", _Without(units))


class _Without:
    """The rules of units, of which one holds nothing."""

    def __init__(self, rules: Any) -> None:
        self._rules = rules

    def hold(self, order: Any, _case: str, **_: Any) -> Any:
        return order

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rules, name)
