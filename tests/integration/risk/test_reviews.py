"""What a rule finds comes before people: taken, decided with a reason, objected to, and over by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.pages import Window
from chalicelib.kernel.roles import Desk, Role
from chalicelib.risk import finding_store
from chalicelib.risk import service as risk
from chalicelib.risk.domain import Fact, FactKind, Subject, SubjectKind
from chalicelib.runtime import caches
from tests.support import http, people
from tests.support.pump import UNPUBLISHED, Pump

pytestmark = pytest.mark.usefixtures("cloud")
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
RULE = "complaints_account"


@pytest.fixture
def time() -> Iterator[clock.Fixed]:
    fixed = clock.Fixed(NOW)
    with clock.use(fixed):
        yield fixed


class Desks:
    """Three of the platform's people, and how they act."""

    def __init__(self) -> None:
        self.people = [people.operator(Desk.ADMIN) for _ in range(3)]

    def post(self, number: int, path: str, body: object = None, *, key: str | None = None) -> http.Answer:
        person = self.people[number]
        token = people.token(person.account_id, Role.BUYER, Role.OPERATOR)
        return http.call("POST", f"/v1/operator/risk/{path}", body or {}, token=token, key=key)

    def get(self, path: str) -> http.Answer:
        token = people.token(self.people[0].account_id, Role.BUYER, Role.OPERATOR)
        return http.call("GET", f"/v1/operator/risk/{path}", token=token)


def put_in_review(desks: Desks) -> None:
    """Put the rule before people, as two of them may."""
    asked = desks.post(0, f"rules/{RULE}/ask", {"reason": "well tried", "mode": "review"})
    assert asked.status == 201, asked.body
    done = desks.post(1, f"rules/{RULE}/approve", {"version": asked.json["version"]})
    assert (done.status, done.json["mode"], done.json["version"]) == (200, "review", 2)
    caches.forget_all()


def complain(account_id: str, count: int = 8) -> None:
    subject = Subject(SubjectKind.ACCOUNT, account_id)
    risk.note(Fact(subject, FactKind.COMPLAINED, f"cmp_{number}", clock.now()) for number in range(count))


def waiting(desks: Desks, status: str = "open") -> list[dict[str, object]]:
    found: list[dict[str, object]] = desks.get(f"reviews?status={status}").json["items"]
    return found


def test_a_rule_goes_before_people_by_two_persons_and_only_with_numbers_that_ran_in_shadow(time: clock.Fixed) -> None:
    desks = Desks()
    both = {"reason": "more", "mode": "review", "least": 9}
    assert desks.post(0, f"rules/{RULE}/ask", both).json["code"] == "not_in_shadow"
    assert desks.post(0, f"rules/{RULE}/ask", {"reason": "none"}).json["code"] == "bad_rule"
    assert desks.post(0, "rules/nobody/ask", {"reason": "x", "least": 9}).status == 404
    asked = desks.post(0, f"rules/{RULE}/ask", {"reason": "more", "least": 9}, key="the-same-key")
    again = desks.post(0, f"rules/{RULE}/ask", {"reason": "more", "least": 9}, key="the-same-key")
    assert (asked.status, again.headers["idempotency-replayed"]) == (201, "true")
    version = {"version": asked.json["version"]}
    assert desks.post(0, f"rules/{RULE}/approve", version).json["code"] == "own_approval"
    assert desks.post(1, f"rules/{RULE}/approve", {"version": 7}).status == 404
    for _ in range(2):
        assert desks.post(1, f"rules/{RULE}/approve", version).json["least"] == 9
    review = {"reason": "well tried", "mode": "review"}
    assert desks.post(0, f"rules/{RULE}/ask", review).json["code"] == "not_in_shadow"
    time.advance(timedelta(days=7))
    third = desks.post(0, f"rules/{RULE}/ask", review)
    assert (third.status, third.json["version"]) == (201, 3)
    left = desks.post(2, f"rules/{RULE}/reject", {"version": 3}).json
    assert left["asked"] == []
    assert [rule["mode"] for rule in left["items"] if rule["rule_id"] == RULE] == ["shadow"]


def test_what_is_found_is_taken_decided_shown_and_objected_to(time: clock.Fixed) -> None:
    desks, buyer = Desks(), people.buyer()
    complain(buyer.account_id)  # In shadow yet: nobody hears of it but the rule.
    assert waiting(desks) == []
    assert len(finding_store.list_of(RULE, Window(10, None)).items) == 1
    put_in_review(desks)
    for _ in range(2):
        complain(buyer.account_id)
    [review] = waiting(desks)
    assert review["explanation"] == "8 complaints within 720 hours: rule complaints_account, version 2, from 8 on."
    assert [fact["record_id"] for fact in review["facts"]] == [f"cmp_{number}" for number in range(8)]  # type: ignore[attr-defined]
    path = f"reviews/{review['review_id']}"
    said = {"decision": "upheld", "reason": "none of them was so"}
    assert desks.post(0, f"{path}/decide", said).status == 409
    assert desks.post(0, f"{path}/claim", key="the-same-key").status == 200
    assert desks.post(0, f"{path}/claim", key="the-same-key").headers["idempotency-replayed"] == "true"
    assert desks.post(1, f"{path}/claim").status == 409
    assert desks.post(1, f"{path}/decide", said).json["code"] == "not_your_review"
    mine = "/v1/me/reviews"
    appeal = f"{mine}/{review['review_id']}/appeal"
    assert http.call("GET", mine, token=buyer.token).json["items"] == []
    assert http.call("POST", appeal, {"text": "no"}, token=buyer.token).status == 404
    assert desks.post(0, f"{path}/decide", said).json["status"] == "upheld"
    [shown] = http.call("GET", mine, token=buyer.token, headers={"accept-language": "zh"}).json["items"]
    assert shown["explanation"] == "720 小时内投诉 8 条：规则 complaints_account 第 2 版，阈值 8。"
    assert (shown["reason"], len(shown["facts"]), "holder" in shown) == ("none of them was so", 8, False)
    assert http.call("POST", appeal, {"text": "no"}, token=people.buyer().token).status == 404
    assert http.call("POST", appeal, {"text": "all were so"}, token=buyer.token).json["status"] == "appealed"
    assert desks.post(0, f"{path}/claim").json["code"] == "same_person"
    assert desks.post(1, f"{path}/claim").json["status"] == "reclaimed"
    last = desks.post(1, f"{path}/decide", {"decision": "dismissed", "reason": "they were"}).json
    assert [step["cause"] for step in last["history"]] == ["claim", "uphold", "appeal", "claim", "dismiss"]
    assert http.call("GET", mine, token=buyer.token).json["items"] == []


def test_nobody_judges_themselves(time: clock.Fixed) -> None:
    desks = Desks()
    put_in_review(desks)
    complain(desks.people[0].account_id)
    [review] = waiting(desks)
    refused = desks.post(0, f"reviews/{review['review_id']}/claim")
    assert (refused.status, refused.json["code"]) == (403, "own_affair")
    assert desks.post(1, f"reviews/{review['review_id']}/claim").status == 200


def test_what_nobody_looks_at_counts_for_nothing(time: clock.Fixed) -> None:
    desks, buyer, other = Desks(), people.buyer(), people.buyer()
    put_in_review(desks)
    pump = Pump(leaves=UNPUBLISHED - {"risk"})
    complain(buyer.account_id)
    [review] = waiting(desks)
    path = f"reviews/{review['review_id']}"
    assert desks.post(0, f"{path}/claim").status == 200
    time.advance(timedelta(days=1, minutes=1))
    pump.due()
    assert desks.get(path).json["status"] == "open"  # Whoever took it did nothing.
    time.advance(timedelta(days=3, minutes=1))
    pump.due()
    assert desks.get(path).json["status"] == "lapsed"
    complain(other.account_id)
    [review] = waiting(desks)
    path = f"reviews/{review['review_id']}"
    desks.post(0, f"{path}/claim")
    desks.post(0, f"{path}/decide", {"decision": "upheld", "reason": "so"})
    http.call("POST", f"/v1/me/{path}/appeal", {"text": "no"}, token=people.token(other.account_id, Role.BUYER))
    time.advance(timedelta(days=10, minutes=1))
    pump.due()
    assert desks.get(path).json["status"] == "dismissed"
