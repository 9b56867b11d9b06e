"""The policy table: a line for each route and no other, and what no line may say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib import policy
from chalicelib.kernel.errors import NotFound, ShopError
from chalicelib.kernel.policy import Access, Rule, Second, Whose, anybody, buyer, operator, signed_in, staff
from chalicelib.kernel.roles import Desk, Post
from chalicelib.kernel.second_person import OwnApproval, SecondPersonNeeded
from chalicelib.runtime.http.routes import Routes
from tools.generate import routing

KEYS_OPEN = {
    "complaints:read", "orders:read", "orders:ship", "products:read", "products:write", "profile:read", "returns:read",
    "stock:read", "stock:write",
}  # fmt: skip
"""Written out once more: what a merchant's system can be allowed is a promise to merchants, and a door."""


def declare(rule: Rule | None, access: Access, *raises: type[ShopError]) -> None:
    routes = Routes("test", table={"act": rule} if rule else {})

    @routes.route("GET", "/v1/act", access=access, raises=raises)
    def act() -> None:
        """Do nothing."""


def test_every_route_has_a_line_and_every_line_a_route() -> None:
    declared = {route.operation_id for _, route in routing.declared()}
    assert declared == set(policy.TABLE), declared ^ set(policy.TABLE)


def test_a_route_without_a_line_cannot_be_declared() -> None:
    with pytest.raises(LookupError, match="no line for act"):
        declare(None, Access.BUYER)
    declare(buyer(), Access.BUYER)


@pytest.mark.parametrize(
    ("rule", "access"), [(anybody(), Access.BUYER), (buyer(), Access.PUBLIC), (staff(Post), Access.OPERATOR)]
)
def test_a_route_says_what_its_line_says(rule: Rule, access: Access) -> None:
    with pytest.raises(LookupError, match="declared for"):
        declare(rule, access)


@pytest.mark.parametrize(
    ("second", "raises"),
    [
        (Second.NONE, (OwnApproval,)),
        (Second.NONE, (SecondPersonNeeded,)),
        (Second.DECIDES, (NotFound,)),
        (Second.ABOVE_LIMIT, (NotFound,)),
        (Second.ASKS, (OwnApproval,)),
    ],
)
def test_a_second_person_stands_in_line_and_errors_alike(second: Second, raises: tuple[type[ShopError], ...]) -> None:
    with pytest.raises(LookupError, match="go together"):
        declare(operator(Desk, second=second), Access.OPERATOR, *raises)


@pytest.mark.parametrize(
    "wrong",
    [
        {"access": Access.MERCHANT},
        {"access": Access.OPERATOR},
        {"access": Access.BUYER, "posts": frozenset(Post)},
        {"access": Access.BUYER, "desks": frozenset(Desk)},
        {"access": Access.BUYER, "scope": "orders:read"},
        {"access": Access.BUYER, "while_suspended": True},
        {"access": Access.PUBLIC, "fresh": timedelta(minutes=5)},
        {"access": Access.MERCHANT, "posts": frozenset(Post), "scope": "x:y", "second": Second.ASKS},
        {"access": Access.MERCHANT, "posts": frozenset(Post), "scope": "x:y", "fresh": timedelta(minutes=5)},
    ],
)
def test_a_line_that_contradicts_itself_is_none(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=" "):
        Rule(whose=Whose.OWN, **wrong)  # type: ignore[arg-type]


def test_an_admin_may_what_any_operator_may() -> None:
    assert [name for name, rule in policy.TABLE.items() if rule.desks and Desk.ADMIN not in rule.desks] == []
    assert [name for name, rule in policy.TABLE.items() if rule.posts and Post.OWNER not in rule.posts] == []


def test_keys_open_what_is_named_here() -> None:
    assert set(policy.SCOPES) == KEYS_OPEN


def test_a_proof_is_asked_of_whoever_has_one() -> None:
    assert signed_in(fresh=timedelta(minutes=5)).fresh == timedelta(minutes=5)
