"""Buyer, merchant and service talk about an order, over HTTP: words, marks, pictures, queues, figures, missed turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

from chalicelib.conversations import service, store
from chalicelib.conversations.domain import OPENED_A_DAY, Side
from chalicelib.conversations.events import ConversationUnread
from chalicelib.kernel import clock, ids
from chalicelib.kernel.roles import Desk, Role
from chalicelib.runtime import aws
from chalicelib.runtime.config import config
from chalicelib.runtime.db import work as works
from tests.support import dump, facts_told, people, sales, talks
from tests.support import shop as shops
from tests.support.http import Answer, call
from tests.support.pump import Pump
from tools.bench import metering

pytestmark = pytest.mark.usefixtures("cloud")
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + b"picture " * 20


@pytest.fixture
def time() -> Iterator[clock.Fixed]:
    fixed = clock.Fixed(NOW)
    with clock.use(fixed):
        yield fixed


@dataclass
class Scene:
    """A buyer with a paid order, its merchant, and two of the service."""

    buyer_id: str
    shop: shops.Shop
    staff_id: str
    order_id: str
    agents: tuple[people.Person, people.Person]

    @classmethod
    def open(cls) -> Scene:
        buyer, shop = people.buyer(), shops.shop()
        sale = sales.paid(buyer.account_id, (shop.merchant_id, (sales.line("1"),)))
        agents = (people.operator(Desk.SUPPORT), people.operator(Desk.SUPPORT))
        staff = people.staff(shop.merchant_id).account_id
        return cls(buyer.account_id, shop, staff, sale.orders[0].order_id, agents)

    def act(self, who: str, method: str, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        merchant = self.shop.merchant_id
        first, second = self.agents
        token = {
            "buyer": lambda: people.token(self.buyer_id),
            "merchant": lambda: people.token(self.staff_id, Role.MERCHANT_STAFF, merchant_id=merchant),
            "agent": lambda: people.token(first.account_id, Role.BUYER, Role.OPERATOR),
            "other": lambda: people.token(second.account_id, Role.BUYER, Role.OPERATOR),
        }[who]()
        place = {"buyer": "", "merchant": "/merchant", "agent": "/operator", "other": "/operator"}[who]
        sent = {} if body is None and method == "POST" else body
        return call(method, f"/v1{place}/{path}", sent, token=token, key=key)

    def begin(self, text: str = "When does it come?", **more: Any) -> str:
        body = {"about": "order", "subject_id": self.order_id, "text": text, **more}
        answer = self.act("buyer", "POST", "conversations", body)
        assert answer.status == 201, answer.body
        return str(answer.json["conversation"]["conversation_id"])

    def say(self, who: str, talk: str, text: str, *, key: str | None = None, **more: Any) -> Answer:
        return self.act(who, "POST", f"conversations/{talk}/entries", {"text": text, **more}, key=key)

    def do(self, who: str, talk: str, what: str, body: Any = None, *, key: str | None = None) -> Answer:
        return self.act(who, "POST", f"conversations/{talk}/{what}", body, key=key)

    def seen(self, who: str, talk: str) -> Any:
        return self.act(who, "GET", f"conversations/{talk}").json


def states(pages: Any) -> list[tuple[str, str]]:
    return [(one["status"], one["turn"]) for one in pages["items"]]


def test_three_sides_talk_and_each_sees_what_is_for_it(time: clock.Fixed) -> None:
    scene = Scene.open()
    talk = scene.begin()
    assert states(scene.act("merchant", "GET", "conversations?view=waiting").json) == [("asked", "merchant")]
    assert scene.say("merchant", talk, "Tomorrow.").json["conversation"]["turn"] == "buyer"
    assert scene.act("merchant", "GET", "conversations?view=waiting").json["items"] == []
    assert scene.act("buyer", "GET", "conversations").json["items"][0]["unread"] is True

    time.advance(timedelta(hours=1))
    assert scene.do("buyer", talk, "call-service").json["entry"]["step"] == "call"
    assert scene.do("buyer", talk, "call-service").json.get("entry") is None  # It is called already.
    waiting = scene.act("agent", "GET", "conversations?queue=orders").json["items"][0]
    assert (waiting["conversation_id"], waiting["buyer_id"], waiting["status"]) == (talk, scene.buyer_id, "called")
    assert scene.say("agent", talk, "Hello.").json["code"] == "conversation_not_in_hand"
    time.advance(timedelta(hours=1))
    assert scene.do("agent", talk, "take").status == 200
    assert scene.do("other", talk, "take").json["code"] == "illegal_transition"
    assert scene.say("other", talk, "Hello.").json["code"] == "conversation_not_in_hand"
    assert scene.do("merchant", talk, "solve").json["code"] == "conversation_not_in_hand"
    assert states(scene.act("agent", "GET", "conversations").json) == [("held", "service")]
    assert scene.say("agent", talk, "It left today: call 138 0013 8000.").json["entry"]["text"].endswith("8000.")

    note = {"to": scene.agents[1].account_id, "note": "Knows the carrier."}
    assert scene.do("other", talk, "transfer", note).json["code"] == "conversation_not_in_hand"
    for nobody in (people.buyer(), people.operator(Desk.FINANCE), people.Person(ids.new_id("acc"), "")):
        refused = scene.do("agent", talk, "transfer", {**note, "to": nobody.account_id})
        assert refused.json["code"] == "no_such_agent"
    assert scene.do("agent", talk, "transfer", note).json["conversation"]["agent"] == scene.agents[1].account_id
    assert scene.say("agent", talk, "One more thing.").json["code"] == "conversation_not_in_hand"
    assert scene.do("other", talk, "solve").json["conversation"]["status"] == "solved"

    inside = scene.seen("other", talk)["items"]
    outside = scene.seen("buyer", talk)["items"]
    assert [one["number"] for one in inside] == [7, 6, 5, 4, 3, 2, 1]
    assert [one["number"] for one in outside] == [7, 5, 4, 3, 2, 1]
    assert "Knows the carrier." in str(inside)
    assert "Knows the carrier." not in str(outside)
    assert not any(agent.account_id in str(scene.seen("merchant", talk)) for agent in scene.agents)
    assert scene.seen("buyer", talk)["conversation"].keys().isdisjoint({"agent", "buyer_id", "queue"})


def test_figures_tell_first_answers_endings_and_what_came_back(time: clock.Fixed) -> None:
    scene = Scene.open()
    talk = scene.begin()
    time.advance(timedelta(hours=2))
    scene.say("merchant", talk, "Tomorrow.", key="the-same-key")
    scene.say("merchant", talk, "Tomorrow.", key="the-same-key")
    scene.do("merchant", talk, "solve")
    scene.say("buyer", talk, "It did not come.")
    scene.do("buyer", talk, "call-service")
    time.advance(timedelta(minutes=30))
    scene.do("agent", talk, "take")
    scene.say("agent", talk, "We look.")
    scene.do("agent", talk, "solve")
    days = "first=2026-11-01&last=2026-11-30"
    of_merchant = scene.act("merchant", "GET", f"conversation-figures?{days}").json
    want = {"opened": 1, "answered": 1, "mean_answer_s": 7200, "late": 0, "solved": 1, "lapsed": 0, "reopened": 1}
    assert of_merchant == {"total": want, "days": [{"day": "2026-11-29", **want}]}
    of_agent = scene.act("agent", "GET", f"conversation-figures?{days}&of={scene.agents[0].account_id}").json["total"]
    assert (of_agent["answered"], of_agent["mean_answer_s"], of_agent["solved"]) == (1, 1800, 1)
    of_all = scene.act("agent", "GET", f"conversation-figures?{days}").json["total"]
    assert (of_all["opened"], of_all["answered"], of_all["reopened"]) == (1, 1, 0)


def test_a_side_is_told_once_until_it_has_read(time: clock.Fixed) -> None:
    scene = Scene.open()
    with facts_told.listening() as heard:
        talk = scene.begin()
        scene.say("buyer", talk, "Hello?")
        scene.say("merchant", talk, "Tomorrow.")
        scene.do("merchant", talk, "read", {"number": 2})
        again = scene.say("buyer", talk, "Thanks.", key="the-same-key")
        scene.say("buyer", talk, "Thanks.", key="the-same-key")
    told = [one.event(ConversationUnread) for one in heard if one.type == "conversation.unread"]
    assert [(one.side, one.number) for one in told] == [("merchant", 1), ("buyer", 3), ("merchant", 4)]
    assert again.json["conversation"]["read"] == {"merchant": 2}
    assert not any("Thanks" in str(one.data) for one in heard)
    assert scene.do("buyer", talk, "read", {"number": 4000}).json["read"] == {"merchant": 2, "buyer": 4}


def test_a_repeat_says_nothing_twice_and_rivals_lose_nothing(time: clock.Fixed) -> None:
    scene = Scene.open()
    talk = scene.begin()
    barrier, answers = Barrier(4), []

    def speak(number: int) -> None:
        barrier.wait()
        answers.append(scene.say("buyer", talk, f"word {number // 2}", key=f"key-of-word-{number // 2}"))

    speakers = [Thread(target=speak, args=(number,)) for number in range(4)]
    for one in speakers:
        one.start()
    for one in speakers:
        one.join()
    assert [one.status for one in answers] == [201] * 4
    said = sorted(one["text"] for one in scene.seen("buyer", talk)["items"])
    assert said == ["When does it come?", "word 0", "word 1"]
    reworded = scene.say("buyer", talk, "other words", key="key-of-word-0")
    assert reworded.json["code"] == "idempotency_key_reused"


def test_missed_turns_move_on_by_themselves(time: clock.Fixed) -> None:
    scene = Scene.open()
    talk, pump = scene.begin(), Pump()
    service.time_out(talk)
    assert scene.seen("buyer", talk)["conversation"]["status"] == "asked"
    for hours, status in ((48, "called"), (24, "called")):
        time.advance(timedelta(hours=hours))
        pump.due()
        assert scene.seen("buyer", talk)["conversation"]["status"] == status
    assert [one["step"] for one in scene.seen("buyer", talk)["items"][:2]] == ["chase", "silence"]
    scene.do("agent", talk, "take")
    time.advance(timedelta(hours=24))
    service.time_out(talk)
    assert scene.seen("agent", talk)["conversation"]["waits_since"] == "2026-12-01T12:00:00.000Z"
    scene.do("other", talk, "take")
    scene.say("other", talk, "Is it there?")
    time.advance(timedelta(days=7))
    service.time_out(talk)
    assert scene.seen("buyer", talk)["conversation"]["status"] == "solved"


def test_before_payment_nobody_is_led_away_and_afterwards_words_stay(time: clock.Fixed) -> None:
    scene, product = Scene.open(), shops.shop().product()
    body = {"about": "product", "subject_id": product.product_id, "text": "Is it cheaper at 微信 tea12345?"}
    asked = scene.act("buyer", "POST", "conversations", body)
    assert (asked.json["entry"]["text"], asked.json["entry"]["masked"]) == ("Is it cheaper at ***?", True)
    paid = scene.say("buyer", scene.begin("Call 13800138000."), "Or 13900139000.").json["entry"]
    assert (paid["text"], paid["masked"]) == ("Or 13900139000.", False)


def test_only_pictures_are_shown_and_each_conversation_keeps_its_own(time: clock.Fixed) -> None:
    scene = Scene.open()
    picture_id, paper_id = ids.new_id("evd"), ids.new_id("evd")
    for file_id, content, kind in ((picture_id, PNG, "image/png"), (paper_id, b"%PDF-1.7 x", "application/pdf")):
        key = f"evidence/incoming/{scene.buyer_id}/{file_id}"
        put = {"Bucket": config().bucket, "Key": key, "Body": content, "ContentType": kind}
        aws.call("s3", "PutObject", put)
    talk = scene.begin("Look.", pictures=[picture_id])
    before = dump.tables(), dump.objects()
    assert scene.say("buyer", talk, "And this.", pictures=[paper_id]).json["code"] == "evidence_refused"
    assert scene.say("buyer", talk, "", pictures=[ids.new_id("evd")]).json["code"] == "evidence_missing"
    assert scene.say("buyer", talk, "").status == 422
    assert (dump.tables(), dump.objects()) == before
    shown = scene.act("merchant", "GET", f"conversations/{talk}/entries/1/pictures/{picture_id}")
    assert f"evidence/kept/{talk}/{picture_id}" in shown.json["url"]
    for number in ("2", "x"):
        path = f"conversations/{talk}/entries/{number}/pictures/{picture_id}"
        assert scene.act("merchant", "GET", path).status == 404


def test_canned_answers_are_replaced_as_a_whole_and_by_one_at_a_time(time: clock.Fixed) -> None:
    scene = Scene.open()
    items = [{"title": "Thanks", "text": "Thank you for writing."}]
    for who in ("merchant", "agent"):
        assert scene.act(who, "GET", "canned-answers").json == {"version": 0, "items": []}
        for _ in range(2):
            put = scene.act(who, "PUT", "canned-answers", {"version": 0, "items": items})
            assert (put.status, put.json) == (200, {"version": 1, "items": items})
        stale = scene.act(who, "PUT", "canned-answers", {"version": 0, "items": []})
        assert (stale.status, stale.json["code"]) == (409, "concurrent_update")
        assert scene.act(who, "GET", "canned-answers").json["items"] == items


def test_merchants_begin_with_their_own_buyers_only_and_a_day_has_its_bound(time: clock.Fixed) -> None:
    scene, other = Scene.open(), Scene.open()
    body = {"about": "order", "subject_id": scene.order_id, "text": "Which floor?"}
    begun = scene.act("merchant", "POST", "conversations", body).json["conversation"]
    assert (begun["status"], begun["turn"]) == ("answered", "buyer")
    assert scene.begin() == begun["conversation_id"]  # One about each thing.
    assert other.act("merchant", "POST", "conversations", body).status == 404
    product = {"about": "product", "subject_id": scene.shop.product().product_id, "text": "Buy this!"}
    assert scene.act("merchant", "POST", "conversations", product).status == 404
    today = store.opened(scene.buyer_id, "2026-11-29")
    today.number = OPENED_A_DAY
    with works.UnitOfWork() as work:
        work.save(today)
    asked = scene.act("buyer", "POST", "conversations", product)
    assert (asked.status, asked.json["code"], asked.json["why"]) == (429, "too_many_words", "day")
    time.advance(timedelta(days=1))
    assert scene.act("buyer", "POST", "conversations", product).status == 201


def test_what_is_said_is_sealed_and_forgotten_once_the_service_is_done(time: clock.Fixed) -> None:
    scene = Scene.open()
    talk = scene.begin("My door code is 4711.")
    assert "4711" not in str(dump.tables())
    scene.do("buyer", talk, "call-service")
    assert service.forget(scene.buyer_id) == [talk]
    scene.do("agent", talk, "take")
    scene.say("agent", talk, "Thank you.")
    scene.do("agent", talk, "solve")
    for _ in range(2):
        assert service.forget(scene.buyer_id) == []
    seen = scene.seen("agent", talk)
    assert seen["conversation"]["title"] == ""
    assert not any("text" in one for one in seen["items"])
    fresh = talks.Talk.about(scene.order_id, scene.buyer_id, scene.shop.merchant_id, "acc_a")
    assert fresh.conversation_id == talk
    assert store.load(talk).unread_by(Side.MERCHANT)


def test_what_a_conversation_costs(time: clock.Fixed) -> None:
    scene = Scene.open()
    buyer = service.Party(Side.BUYER, scene.buyer_id, scene.buyer_id)
    merchant = service.Party(Side.MERCHANT, scene.staff_id, scene.shop.merchant_id)
    begun: list[str] = []

    def cost(action: Callable[[], object]) -> tuple[int, float, float, float]:
        with metering.measured() as meter:
            action()
        return meter.calls, meter.read_units, meter.write_units, meter.index_units

    assert cost(lambda: begun.append(scene.begin())) == (4, 4.0, 14.0, 4.0)
    [talk] = begun
    assert cost(lambda: service.say(buyer, talk, service.Words("More."), talks.intent())) == (2, 2.0, 6.0, 0.0)
    assert cost(lambda: service.say(merchant, talk, service.Words("Yes."), talks.intent())) == (2, 2.0, 11.0, 3.0)
    assert cost(lambda: service.say(merchant, talk, service.Words("Yes."), talks.intent())) == (2, 2.0, 6.0, 0.0)
    assert cost(lambda: service.mark_read(buyer, talk, 3)) == (2, 1.0, 1.0, 0.0)
    assert cost(lambda: scene.seen("buyer", talk)) == (2, 2.0, 0.0, 0.0)
    assert cost(lambda: scene.act("buyer", "GET", "conversations")) == (2, 1.0, 0.0, 0.0)
