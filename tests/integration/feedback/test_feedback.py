"""People tell the platform something and are answered; after each case they are asked once how it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

from chalicelib.conversations import service as conversations
from chalicelib.conversations.service import Words
from chalicelib.feedback import asking, service, store, surveys
from chalicelib.feedback.domain import A_DAY
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.pages import Window
from chalicelib.kernel.roles import Desk, Role
from tests.support import dump, facts_told, people, sales, talks
from tests.support import shop as shops
from tests.support.http import Answer, call
from tests.support.pump import Pump

pytestmark = pytest.mark.usefixtures("cloud")
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


@pytest.fixture
def time() -> Iterator[clock.Fixed]:
    fixed = clock.Fixed(NOW)
    with clock.use(fixed):
        yield fixed


class Box:
    """Somebody who has something to say, and somebody who answers."""

    def __init__(self) -> None:
        self.writer_id, self.agent_id = people.buyer().account_id, people.operator(Desk.SUPPORT).account_id

    def write(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        return call(method, f"/v1/{path}", body, token=people.token(self.writer_id), key=key)

    def desk(self, method: str, path: str, body: Any = None) -> Answer:
        token = people.token(self.agent_id, Role.BUYER, Role.OPERATOR)
        return call(method, f"/v1/operator/{path}", body, token=token)

    def told(self, text: str = "More tea, please.") -> str:
        answer = self.write("POST", "feedback", {"kind": "wish", "text": text})
        assert answer.status == 201, answer.body
        return str(answer.json["feedback_id"])

    def shelf(self, status: str) -> list[str]:
        return [one["feedback_id"] for one in self.desk("GET", f"feedback?status={status}").json["items"]]


def test_feedback_is_sorted_answered_objected_to_once_and_closed(time: clock.Fixed) -> None:
    box = Box()
    told = box.told()
    assert box.desk("POST", f"feedback/{told}/answer", {"text": "Soon."}).json["code"] == "illegal_transition"
    assert box.desk("POST", f"feedback/{told}/sort", {"topic": "goods"}).json["topic"] == "goods"
    assert box.desk("POST", f"feedback/{told}/sort", {"topic": "shop"}).json["topic"] == "shop"
    with facts_told.listening() as heard:
        for text in ("Soon.", "Next week."):
            answered = box.desk("POST", f"feedback/{told}/answer", {"text": text}).json
            assert answered["status"] == "answered"
            if text == "Soon.":
                objected = box.write("POST", f"feedback/{told}/object", {"text": "When?"})
                assert objected.json["status"] == "sorted"
    assert [one.id for one in heard] == [f"feedback.answered#{told}#1", f"feedback.answered#{told}#2"]
    assert box.write("POST", f"feedback/{told}/object", {"text": "No."}).json["code"] == "objected_before"
    seen = box.write("GET", f"feedback/{told}").json
    assert [one.get("text") for one in seen["history"]] == [
        "More tea, please.",
        None,
        None,
        "Soon.",
        "When?",
        "Next week.",
    ]
    assert box.agent_id not in str(seen)
    assert box.write("POST", f"feedback/{told}/close", {}).json["status"] == "closed"
    month = call("GET", "/v1/service-figures?month=2026-11").json
    assert (month["feedback_received"], month["feedback_answered"]) == (1, 1)


def test_what_nobody_answers_rings_and_is_never_closed_by_itself(time: clock.Fixed) -> None:
    box, pump = Box(), Pump()
    told = box.told()
    service.time_out(told)
    assert service.load(told).chased == 0
    for hours, chased in ((48, 1), (48, 2)):
        time.advance(timedelta(hours=hours))
        pump.due()
        assert (service.load(told).chased, service.load(told).status.value) == (chased, "new")
    box.desk("POST", f"feedback/{told}/sort", {"topic": "goods"})
    box.desk("POST", f"feedback/{told}/answer", {"text": "Soon."})
    assert box.shelf("answered") == [told]
    time.advance(timedelta(days=14))
    pump.due()
    assert box.write("GET", f"feedback/{told}").json["status"] == "closed"


def test_a_day_has_its_bound_and_strangers_see_nothing(time: clock.Fixed) -> None:
    box, other = Box(), Box()
    told = [box.told() for _ in range(A_DAY)]
    more = {"kind": "fault", "text": "Another."}
    before = dump.tables()
    refused = box.write("POST", "feedback", more)
    assert (refused.status, refused.json["code"]) == (429, "too_much_feedback")
    assert dump.tables() == before
    time.advance(timedelta(days=1))
    assert box.write("POST", "feedback", more).status == 201
    for path in ("", "/object", "/close"):
        body = {"text": "x"} if path == "/object" else {}
        answer = other.write("POST" if path else "GET", f"feedback/{told[0]}{path}", body if path else None)
        assert answer.status == 404


def talk(box: Box, shop: shops.Shop) -> talks.Talk:
    sale = sales.paid(box.writer_id, (shop.merchant_id, (sales.line("1"),)))
    return talks.Talk.about(sale.orders[0].order_id, box.writer_id, shop.merchant_id, box.agent_id)


def test_a_case_is_asked_about_once_and_answered_once(time: clock.Fixed) -> None:
    box, shop, pump = Box(), shops.shop(), Pump()
    case = talk(box, shop).answered().solved()
    with facts_told.listening() as heard:
        for _ in range(3):
            pump.drain()
            conversations.say(case.buyer, case.conversation_id, Words("Again."), talks.intent())
            case.solved()
        for _ in range(10):
            service.ask_about_conversation(case.conversation_id, box.writer_id, shop.merchant_id)
    assert [one.type for one in heard if one.type.startswith("satisfaction")] == ["satisfaction.asked"]
    [asked] = box.write("GET", "satisfaction").json["items"]
    path, say = f"satisfaction/{asked['survey_id']}", {"score": 4, "text": "Quick."}
    assert Box().write("POST", path, say).status == 404
    for score in (0, 6, "5"):
        assert box.write("POST", path, {"score": score}).status == 422
    first = box.write("POST", path, say, key="the-same-key")
    assert (first.status, first.json["is_open"]) == (200, False)
    assert box.write("POST", path, say, key="the-same-key").json == first.json
    assert box.write("POST", path, {"score": 1}).json["code"] == "survey_over"
    assert store.month(shop.merchant_id, "2026-11").scores == (0, 0, 0, 1, 0)
    assert "Quick." not in str(dump.tables())


def test_rivals_who_ask_or_answer_count_once(time: clock.Fixed) -> None:
    box, shop = Box(), shops.shop()
    case = talk(box, shop).answered().solved()
    survey_id, barrier = asking.survey_id_of(case.conversation_id), Barrier(3)

    def ask(number: int) -> None:
        barrier.wait()
        service.ask_about_conversation(case.conversation_id, box.writer_id, shop.merchant_id)
        barrier.wait()
        box.write("POST", f"satisfaction/{survey_id}", {"score": 1 + number})

    rivals = [Thread(target=ask, args=(number,)) for number in range(3)]
    for one in rivals:
        one.start()
    for one in rivals:
        one.join()
    found = store.month(shop.merchant_id, "2026-11")
    assert (found.asked, found.given) == (1, 1)


def test_nobody_is_asked_who_was_not_answered_or_called_it_off_and_a_month_later_it_is_over(time: clock.Fixed) -> None:
    box, shop, pump = Box(), shops.shop(), Pump()
    talk(box, shop).solved()
    pump.drain()
    service.ask_about_complaint(ids.new_id("cmp"), "withdrawn")
    with pytest.raises(NotFound):
        service.ask_about_complaint(ids.new_id("cmp"), "resolved")
    assert box.write("GET", "satisfaction").json["items"] == []
    survey_id = talks.asked(talk(box, shop))
    time.advance(surveys.ANSWER_WITHIN)
    assert box.write("POST", f"satisfaction/{survey_id}", {"score": 5}).json["code"] == "survey_over"


def test_a_closed_complaint_asks_its_buyer(time: clock.Fixed) -> None:
    box, shop, pump = Box(), shops.shop(), Pump()
    sale = sales.paid(box.writer_id, (shop.merchant_id, (sales.line("1"),)))
    filing = {"order_id": sale.orders[0].order_id, "line_id": "1", "reason": "damaged", "text": "Broken."}
    filed = box.write("POST", "complaints", filing).json["complaint_id"]
    staff = people.staff(shop.merchant_id).token
    call("POST", f"/v1/merchant/complaints/{filed}/reply", {"answer": "reject", "text": "No."}, token=staff)
    assert box.write("POST", f"complaints/{filed}/accept", {}).status == 200
    pump.drain()
    [asked] = box.write("GET", "satisfaction").json["items"]
    assert (asked["kind"], asked["case_id"], asked["merchant_id"]) == ("complaint", filed, shop.merchant_id)


def test_scores_are_public_once_they_tell_of_nobody(time: clock.Fixed) -> None:
    shop = shops.shop()
    path = f"/v1/merchants/{shop.merchant_id}/service-figures?month=2026-11"
    for number in range(1, surveys.LEAST_SHOWN + 1):
        box = Box()
        survey_id = talks.asked(talk(box, shop))
        assert box.write("POST", f"satisfaction/{survey_id}", {"score": number}).status == 200
        found = call("GET", path)
        shown = found.json.get("mean_score_percent")
        assert shown == (300 if number == surveys.LEAST_SHOWN else None)
    assert (found.json["asked"], found.json["scores"], found.json["opened"]) == (5, 5, 5)
    assert "feedback_received" not in found.json
    assert call("GET", path, headers={"if-none-match": found.headers["etag"]}).status == 304
    assert call("GET", f"/v1/merchants/{ids.new_id('mer')}/service-figures?month=2026-11").status == 404
    assert call("GET", "/v1/service-figures?month=2026-13").status == 422


def test_what_somebody_told_is_sealed_and_forgotten_and_the_counts_stay(time: clock.Fixed) -> None:
    box, shop = Box(), shops.shop()
    box.told("My name is Wang.")
    survey_id = talks.asked(talk(box, shop))
    box.write("POST", f"satisfaction/{survey_id}", {"score": 2, "text": "Wang was not pleased."})
    assert "Wang" not in str(dump.tables()["feedback"])
    for _ in range(2):
        service.forget(box.writer_id)
    assert service.list_of(box.writer_id, Window(10)).items == []
    [kept] = service.surveys_of(box.writer_id, Window(10)).items
    assert (kept.score, kept.text) == (2, "")
    assert store.month(shop.merchant_id, "2026-11").scores == (0, 1, 0, 0, 0)
