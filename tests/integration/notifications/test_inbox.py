"""An inbox: read newest first in the reader's language, marked as read, and nobody else's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.kernel import clock
from chalicelib.notifications import inbox_store
from chalicelib.notifications.inbox import KEPT, Entry, entry_id_of
from chalicelib.notifications.topics import Topic
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import people
from tests.support.http import call
from tools.bench import metering

pytestmark = pytest.mark.usefixtures("cloud")


def told(account_id: str, number: int) -> Entry:
    entry = Entry(
        account_id,
        entry_id_of(account_id, f"refund.succeeded#{number}"),
        "refunded",
        Topic.MONEY,
        clock.now(),
        {"amount": f"{number}.00 CNY", "order": "B000001"},
        "pur_1",
    )
    with UnitOfWork() as work:
        inbox_store.add(work, entry)
    return entry


def test_an_inbox_is_read_and_marked(noon: clock.Fixed) -> None:
    ann, ben = people.buyer(), people.buyer()
    first = told(ann.account_id, 1)
    noon.advance(timedelta(minutes=1))
    second = told(ann.account_id, 2)

    page = call("GET", "/v1/me/inbox?limit=1", token=ann.token, headers={"accept-language": "zh"}).json
    assert [one["title"] for one in page["items"]] == ["已退款 2.00 CNY"]
    assert page["items"][0]["read"] is False
    more = call("GET", f"/v1/me/inbox?limit=1&cursor={page['next_cursor']}", token=ann.token).json
    assert [one["title"] for one in more["items"]] == ["1.00 CNY went back to you"]
    assert call("GET", "/v1/me/inbox", token=ben.token).json["items"] == []

    assert call("GET", "/v1/me/inbox/unread", token=ann.token).json["unread"] == 2
    read = call("PUT", f"/v1/me/inbox/{first.entry_id}/read", token=ann.token)
    assert (read.status, read.json["read"]) == (200, True)
    assert call("PUT", f"/v1/me/inbox/{first.entry_id}/read", token=ann.token).json == read.json
    assert call("GET", "/v1/me/inbox/unread", token=ann.token).json["unread"] == 1
    assert call("PUT", f"/v1/me/inbox/{second.entry_id}/read", token=ben.token).status == 404

    body = {"until": second.at.isoformat()}
    assert call("PUT", "/v1/me/inbox/read", body, token=ann.token).json["unread"] == 0
    earlier = {"until": first.at.isoformat()}
    assert call("PUT", "/v1/me/inbox/read", earlier, token=ann.token).json["unread"] == 0, "it never becomes less"
    noon.advance(timedelta(minutes=1))
    told(ann.account_id, 3)
    found = call("GET", "/v1/me/inbox", token=ann.token).json["items"]
    assert [one["read"] for one in found] == [False, True, True]
    with metering.measured() as meter:
        assert call("GET", "/v1/me/inbox/unread", token=ann.token).json["unread"] == 1
    assert meter.figures == (2, 0, 1)
    noon.advance(KEPT)
    assert call("GET", "/v1/me/inbox", token=people_again(ann)).json["items"] == []


def people_again(person: people.Person) -> str:
    return people.token(person.account_id)


def test_what_is_to_be_brought_is_said_whole_and_safety_always_is() -> None:
    ann = people.buyer()
    before = call("GET", "/v1/me/inbox/preferences", token=ann.token).json
    assert before["quiet_hours"] == {"begins": "22:00", "ends": "08:00", "utc_offset_minutes": 480}
    body = {"off": [{"topic": "parcels", "channel": "email"}], "quiet_hours": {"begins": "23:15", "ends": "06:00"}}
    after = call("PUT", "/v1/me/inbox/preferences", body, token=ann.token).json
    assert after == call("GET", "/v1/me/inbox/preferences", token=ann.token).json
    channels = {one["topic"]: one["channels"] for one in after["topics"]}
    assert (channels["parcels"]["email"], channels["parcels"]["sms"], channels["orders"]["email"]) == (
        False,
        True,
        True,
    )
    assert after["quiet_hours"]["begins"] == "23:15"
    refused = call(
        "PUT", "/v1/me/inbox/preferences", {"off": [{"topic": "security", "channel": "sms"}]}, token=ann.token
    )
    assert (refused.status, refused.json["code"]) == (422, "always_told")
    assert call("GET", "/v1/me/inbox/preferences", token=ann.token).json == after
    none = call("PUT", "/v1/me/inbox/preferences", {}, token=ann.token).json
    assert "quiet_hours" not in none
    assert all(all(one["channels"].values()) for one in none["topics"])
