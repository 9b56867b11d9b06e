"""A link by which a guest follows one parcel, and the timeline its buyer sees."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.errors import NotFound
from chalicelib.logistics import links
from chalicelib.runtime import aws
from tests.integration.logistics.test_logistics import NUMBER, World, hub, world
from tests.support import people
from tests.support.http import Answer, call

__all__ = ["hub", "world"]


def linked(world: World, shipment_id: str) -> str:
    path = f"/v1/orders/{world.order.order_id}/shipments/{shipment_id}/link"
    answer = call("POST", path, {}, token=people.token(world.buyer.account_id))
    assert answer.status == 200, answer.body
    return str(answer.json["token"])


def seen(token: str, **headers: str) -> Answer:
    return call("GET", f"/v1/parcels/{token}", headers=headers)


def test_a_guest_follows_one_parcel_and_sees_nobodys_name(world: World, noon: Any) -> None:
    shipment_id = world.shipped().shipment_id
    token = linked(world, shipment_id)
    noon.advance(timedelta(hours=2))
    world.hub.advance(NUMBER, "collected")
    world.pump.drain()

    told = seen(token, **{"accept-language": "en"})

    assert (told.status, told.json["status_text"]) == (200, "Collected by the carrier")
    assert told.json["tracking_number_end"] == NUMBER[-4:]
    assert [event["status_text"] for event in told.json["events"]] == ["Collected by the carrier"]
    for secret in (NUMBER, "快递员", "王梅", world.order.order_id, "Goods"):
        assert secret not in told.body
    assert seen(token, **{"accept-language": "zh-CN"}).json["status_text"] == "快递已揽收"
    again = seen(token, **{"accept-language": "en", "if-none-match": told.headers["etag"]})
    assert (again.status, again.body) == (304, "")
    assert linked(world, shipment_id) != ""


def test_of_a_link_no_character_may_be_changed_and_nothing_is_read_for_it(world: World) -> None:
    token = linked(world, world.shipped().shipment_id)
    reads: list[str] = []

    def hook(service: str, operation: str, params: Any, proceed: Any) -> Any:
        if service == "dynamodb":
            reads.append(operation)
        return proceed()

    with aws.hooked(hook):
        for place, char in enumerate(token):
            changed = token[:place] + ("0" if char != "0" else "1") + token[place + 1 :]
            with pytest.raises(NotFound):
                links.follow(changed)
        for other in ("", "_", "__", token[:-1], token + "0", token.upper(), token.replace("_", "-")):
            with pytest.raises(NotFound):
                links.follow(other)
    assert reads == []


def test_a_link_ends_with_its_time_and_a_week_after_the_parcel_arrived(world: World, noon: Any) -> None:
    shipment_id = world.shipped().shipment_id
    token = linked(world, shipment_id)
    world.hub.advance(NUMBER, "signed")
    world.pump.drain()
    noon.advance(timedelta(days=6, hours=23))
    assert seen(token).status == 200
    noon.advance(timedelta(hours=2))
    assert (seen(token).status, seen(linked(world, shipment_id)).status) == (404, 404)


def test_a_link_lasts_a_month(world: World, noon: Any) -> None:
    token = linked(world, world.shipped().shipment_id)
    noon.advance(timedelta(days=29, hours=23))
    assert seen(token).status == 200
    noon.advance(timedelta(hours=2))
    assert seen(token).status == 404


def test_nobody_links_what_is_not_theirs(world: World) -> None:
    shipment = world.shipped()
    path = f"/v1/orders/{world.order.order_id}/shipments/{shipment.shipment_id}/link"
    assert call("POST", path, {}, token=world.stranger.token).status == 404
    ghost = path.replace(shipment.shipment_id, shipment.shipment_id[:-1] + "9")
    assert call("POST", ghost, {}, token=people.token(world.buyer.account_id)).status == 404


def test_the_timeline_counts_from_the_collection_and_comes_again_as_304(world: World, noon: Any) -> None:
    world.shipped()
    path = f"/v1/orders/{world.order.order_id}/shipments"

    def asked(**headers: str) -> Answer:
        return call("GET", path, token=people.token(world.buyer.account_id), headers=headers)

    day = (clock.now() + timedelta(hours=8)).date()
    first = asked()
    assert first.json["items"][0]["expected_until"] == (day + timedelta(days=3)).isoformat()
    assert asked(**{"if-none-match": first.headers["etag"]}).status == 304

    noon.advance(timedelta(days=2))
    world.hub.advance(NUMBER, "collected")
    world.pump.drain()
    moved = asked(**{"if-none-match": first.headers["etag"], "accept-language": "en"})
    assert moved.status == 200
    [parcel] = moved.json["items"]
    assert parcel["expected_from"] == (day + timedelta(days=3)).isoformat()
    assert parcel["expected_until"] == (day + timedelta(days=5)).isoformat()
    assert parcel["events"][0]["status_text"] == "Collected by the carrier"

    noon.advance(timedelta(days=6))
    assert "expected_until" not in asked().json["items"][0]
