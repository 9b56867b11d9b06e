"""Explain an order or an account: the look itself is written down with its reason, or there is no answer."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.explaining import accounts, domain
from chalicelib.explaining import orders as order_steps
from chalicelib.explaining.accounts import Standing
from chalicelib.explaining.domain import Kind, Seal, Step
from chalicelib.kernel.pages import Page, Window
from chalicelib.orders import service as orders
from chalicelib.oversight import service as oversight
from chalicelib.runtime.db.work import hear_witness

__all__ = ["AccountExplained", "Kind", "OrderExplained", "Standing", "Step", "explain_account", "explain_order"]


@dataclass(frozen=True, slots=True)
class OrderExplained:
    """An order's story: one page of it, and the digest of all that had happened when it was told."""

    order: orders.Order
    steps: Page[Step]
    count: int
    digest: str
    """Of all steps that are no acts: it stands in the audit's line of the look, too."""
    head: Seal | None
    """The last act that is sealed."""


def explain_order(order_id: str, window: Window) -> OrderExplained:
    """Return all that happened to an order. Who looked, when and why stands in the audit, with a digest of the answer.

    Raises:
        NotFound: if there is no such order.
    """
    order = orders.load_order(order_id)
    steps = order_steps.steps(order)
    told = _told(steps)
    return OrderExplained(order, _page(steps, window), len(steps), told, _head(steps))


@dataclass(frozen=True, slots=True)
class AccountExplained:
    """How an account stands, and its story, as :class:`OrderExplained` has an order's."""

    standing: Standing
    steps: Page[Step]
    count: int
    digest: str
    head: Seal | None


def explain_account(account_id: str, window: Window) -> AccountExplained:
    """Return how an account stands and all that happened to it. The look stands in the audit, as of an order.

    Raises:
        NotFound: if there is no such account, and never was.
    """
    standing, steps = accounts.explained(account_id)
    told = _told(steps)
    return AccountExplained(standing, _page(steps, window), len(steps), told, _head(steps))


def _told(steps: list[Step]) -> str:
    """Have the look written down, with the digest of what is told; returns that."""
    digest = domain.digest(steps)
    oversight.also_said(story=digest)
    hear_witness()
    return digest


def _head(steps: list[Step]) -> Seal | None:
    """Return the seal of the last act that has one."""
    seals = [step.seal for step in steps if step.seal is not None and step.seal.batch]
    return max(seals, key=lambda seal: seal.number, default=None)


def _page(steps: list[Step], window: Window) -> Page[Step]:
    """Return the page after so many steps: a story only grows."""
    first = int(window.after["step"]) if window.after else 0
    end = first + window.limit
    return Page(steps[first:end], {"step": end} if end < len(steps) else None)
