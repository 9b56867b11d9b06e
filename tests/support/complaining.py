"""A complaint and the people around it, as tests of complaints tell it over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import urllib3

from chalicelib.kernel import clock
from chalicelib.kernel.roles import Role
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order
from chalicelib.payments import service as payments
from chalicelib.runtime import aws
from tests.support import people
from tests.support.http import Answer, call
from tests.support.paying import Till, story

PNG = b"\x89PNG\r\n\x1a\n" + b"picture " * 20
FILING = {"reason": "damaged", "text": "The pot arrived broken."}


@dataclass
class Case:
    """A paid order of 19.99, and the people around it."""

    till: Till
    order: Order
    payment_id: str
    staff: people.Person
    strangers: people.Person
    other_staff: people.Person

    def act(self, who: str, method: str, path: str, body: Any = None, *, key: str | None = None, **more: Any) -> Answer:
        merchant = self.order.merchant_id
        token = {
            "buyer": lambda: people.token(self.till.buyer.account_id),
            "stranger": lambda: people.token(self.strangers.account_id),
            "staff": lambda: people.token(self.staff.account_id, Role.MERCHANT_STAFF, merchant_id=merchant),
            "other_staff": lambda: people.token(
                self.other_staff.account_id, Role.MERCHANT_STAFF, merchant_id="mer_other"
            ),
            "operator": lambda: people.token(self.till.operator.account_id, Role.BUYER, Role.OPERATOR),
        }[who]()
        sent = {} if body is None and method == "POST" else body
        return call(method, path, sent, token=token, key=key, **more)

    def file(self, *, key: str | None = None, **body: Any) -> Answer:
        body = {"order_id": self.order.order_id, "line_id": "1", **FILING, **body}
        return self.act("buyer", "POST", "/v1/complaints", body, key=key)

    def filed(self) -> str:
        answer = self.file()
        assert answer.status == 201, answer.body
        return str(answer.json["complaint_id"])

    def reply(self, complaint_id: str, answer: str = "reject", **more: Any) -> Answer:
        key = more.pop("key", None)
        body = {"answer": answer, "text": "We are sorry.", **more}
        if answer == "refund":
            body.setdefault("amount", {"minor": 500, "currency": "CNY"})
        return self.act("staff", "POST", f"/v1/merchant/complaints/{complaint_id}/reply", body, key=key)

    def decide(self, complaint_id: str, decision: str = "refund", minor: int | None = 1999, **more: Any) -> Answer:
        body: dict[str, Any] = {
            "decision": decision,
            "text": "Decided.",
            "facts": "It is broken.",
            "rule": "CN-CPL-24-1",
        }
        if minor is not None:
            body |= {"amount": {"minor": minor, "currency": "CNY"}, "payer": "platform"}
        body |= more.pop("body", {})
        who = more.pop("who", "operator")
        return self.act(who, "POST", f"/v1/operator/complaints/{complaint_id}/decision", body, **more)

    def move(self, complaint_id: str, what: str, body: Any = None, *, key: str | None = None) -> Answer:
        return self.act("buyer", "POST", f"/v1/complaints/{complaint_id}/{what}", body, key=key)

    def seen(self, complaint_id: str) -> Any:
        return self.act("buyer", "GET", f"/v1/complaints/{complaint_id}").json

    def escalated(self) -> str:
        complaint_id = self.filed()
        self.reply(complaint_id)
        assert self.move(complaint_id, "escalate", {"text": "Look again."}).status == 200
        return complaint_id


def story_of(case: Case) -> payments.PaymentRecords:
    return story(orders.load_sale(case.order.purchase_id))


def writes_during(action: Callable[[], Any]) -> list[str]:
    seen: list[str] = []

    def hook(service_name: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation in ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "CopyObject", "PutObject"):
            seen.append(operation)
        return proceed()

    with aws.hooked(hook):
        action()
    return seen


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["code"]


def uploaded(case: Case, content: bytes = PNG, content_type: str = "image/png", who: str = "buyer") -> str:
    body = {"content_type": content_type, "size": len(content)}
    answer = case.act(who, "POST", "/v1/complaints/evidence", body)
    assert answer.status == 201, answer.body
    assert post(answer.json, content) == 204
    return str(answer.json["evidence_id"])


def post(ticket: Any, content: bytes, **fields: str) -> int:
    form = {**ticket["fields"], **fields, "file": ("file", content)}
    return int(urllib3.PoolManager().request("POST", ticket["url"], fields=form).status)


def pass_time(case: Case, hours: float) -> None:
    """Jump to a minute before the moment, then tick through it."""
    case.till.clock.advance(timedelta(hours=hours) - timedelta(minutes=1))
    case.till.pump.due()
    before = clock.now()
    case.till.wait(timedelta(minutes=2))
    assert clock.now() - before == timedelta(minutes=2)
