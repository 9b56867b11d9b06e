"""Who may act for a merchant is in the audit as well: posts that are moved, given up and taken, and keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chalicelib.kernel import clock
from chalicelib.kernel.pages import Window
from chalicelib.kernel.policy import Access
from chalicelib.kernel.roles import Post
from chalicelib.oversight import service as oversight
from chalicelib.policy import TABLE, WRITTEN_DOWN
from tests.support import people
from tests.support.http import call


def lines() -> list[oversight.Line]:
    return sorted(oversight.list_day(clock.now().date(), Window(100)).items, key=lambda line: line.at)


def test_a_post_that_is_moved_and_taken_stands_on_the_merchants_chain_and_the_persons(cloud: str, noon: Any) -> None:
    shop = people.merchant()
    owner, clerk = people.staff(shop.merchant_id), people.staff(shop.merchant_id, Post.CLERK)
    path = f"/v1/merchant/staff/{clerk.account_id}"
    people.session(owner)
    assert call("PUT", path, {"post": "nobody"}, token=owner.token).status == 422
    assert lines() == [], "what is refused leaves none"
    assert call("PUT", path, {"post": "manager"}, token=owner.token).status == 200
    noon.advance(timedelta(seconds=1))
    assert call("DELETE", path, token=owner.token).status == 204
    moved, dismissed = lines()
    assert (moved.by, moved.act, moved.said) == (owner.account_id, "move_person", {"post": "manager"})
    assert (dismissed.by, dismissed.act) == (owner.account_id, "dismiss_person")
    for subject in (shop.merchant_id, clerk.account_id, owner.account_id):
        assert [one.line.act for one in oversight.done_just_now(subject)] == ["move_person", "dismiss_person"]
    posts = {change.after for change in moved.changes if ".post" in change.where}
    assert "manager" in posts


def test_what_is_written_down_are_routes_of_signed_in_people() -> None:
    assert {TABLE[name].access for name in WRITTEN_DOWN} == {Access.MERCHANT, Access.SIGNED_IN}
