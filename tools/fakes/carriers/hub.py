"""The stand-in's core: usable in process (a function is its way out) and by the dev server (over HTTP).

It speaks the hub's own formats and computes the hub's own signatures, from the protocol, not from our adapter. Its
commands make parcels move and the hub misbehave::

    hub.advance("SF1234567890", "collected", "in_transit", "signed")   # a signed push after each
    hub.repeat("SF1234567890")                                         # the last push again
    hub.replay("SF1234567890", 0)                                      # the first push again, after newer ones
    hub.tamper("SF1234567890")                                         # a changed body under the old signature
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlencode

from tools.fakes.sandbox.shelf import Recent, Shelf

ROOM = 200
"""How many parcels stay in memory."""
KEPT = 30
"""How many of its pushes, and of their answers, a parcel remembers: each push is the whole story again."""
ASK_EVERY = timedelta(minutes=30)
SUBSCRIPTIONS, MONTH = 4, timedelta(days=30)
"""How often a number is told of, and watched."""
CHINA = timezone(timedelta(hours=8))
FORM = "application/x-www-form-urlencoded; charset=UTF-8"

Deliver = Callable[[str, dict[str, str], bytes], tuple[int, bytes]]
"""How a push goes out: address, headers, body -> status and body of the answer."""


@dataclass(frozen=True)
class Stage:
    """What one command makes happen: single-digit state, fine state, the carrier's words, the hub's status."""

    state: str
    code: str
    text: str
    status: str = "polling"


STAGES: dict[str, Stage] = {
    "collected": Stage("1", "103", "【{city}】快件已被揽收，快递员正在送往网点"),
    "in_transit": Stage("0", "1002", "【{city}转运中心】快件已发往下一站"),
    "arrived": Stage("0", "1001", "【{city}】快件已到达派件城市"),
    "customs": Stage("8", "11", "【{city}海关】清关中"),
    "out_for_delivery": Stage("5", "5", "【{city}】快递员正在派件"),
    "in_locker": Stage("5", "501", "【{city}】快件已存放至快递柜，请凭取件码取件"),
    "problem": Stage("2", "204", "【{city}】派件异常，电话无人接听，将再次派送"),
    "refused": Stage("14", "203", "【{city}】收件人拒收"),
    "signed": Stage("3", "301", "【{city}】快件已签收，感谢使用", "shutdown"),
    "returning": Stage("6", "6", "【{city}】快件退回中"),
    "returned": Stage("4", "4", "【{city}】退件已由寄件人签收", "shutdown"),
}
_CITIES = ("杭州", "上海", "南京", "武汉", "成都", "深圳", "北京")


@dataclass
class Journey:
    """One number the hub knows, with what happened to it and what was pushed."""

    company: str
    number: str
    callback: str = ""
    salt: str = ""
    phone: str = ""
    scans: list[dict[str, str]] = field(default_factory=list)
    state: str = "0"
    status: str = "polling"
    subscribed_at: list[datetime] = field(default_factory=list)
    asked_at: datetime | None = None
    pushes: list[bytes] = field(default_factory=list)
    answers: list[tuple[int, bytes]] = field(default_factory=list)


class UnknownNumber(LookupError):
    """Nobody subscribed this number."""


class Hub:
    """The stand-in. Thread-safe; keeps everything in memory."""

    def __init__(
        self,
        deliver: Deliver,
        *,
        key: str = "local-kuaidi100-key",
        customer: str = "local-customer",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._deliver = deliver
        self._key = key
        self._customer = customer
        self._now = now
        self._lock = threading.RLock()
        self.journeys: dict[str, Journey] = Shelf(Journey, room=ROOM)
        self.answer_with: str | None = None
        """Set a return code (``"500"``, ``"700"``) to have the next subscriptions answered with it."""
        self.questions: list[str] = Recent(1_000)
        """Which numbers were asked for last."""
        self.complaints: list[str] = Recent(1_000)
        """What the shop did that the hub does not allow."""

    # What the hub serves.

    def handle(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Serve ``/poll``, ``/poll/query.do`` and, with what is asked behind the path, ``/autonumber/auto``."""
        path, _, asked = path.partition("?")
        if path.endswith("/autonumber/auto"):
            return 200, {"content-type": "application/json"}, json.dumps(self._recognise(asked)).encode()
        try:
            form = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
            if path.endswith("/poll"):
                answer = self._subscribe(json.loads(form["param"]))
            elif path.endswith("/poll/query.do"):
                answer = self._query(form)
            else:
                return 404, {}, b""
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            answer = {"result": False, "returnCode": "700", "message": "参数错误"}
        return 200, {"content-type": "application/json"}, json.dumps(answer, ensure_ascii=False).encode()

    def _subscribe(self, param: Mapping[str, Any]) -> dict[str, Any]:
        if self.answer_with is not None:
            return {"result": False, "returnCode": self.answer_with, "message": "失败"}
        if param.get("key") != self._key:
            return {"result": False, "returnCode": "601", "message": "KEY 已过期"}
        number, parameters = str(param["number"]), param["parameters"]
        with self._lock:
            known = self.journeys.get(number)
            if known is not None and known.callback and known.status == "polling":
                return {"result": False, "returnCode": "501", "message": "重复订阅"}
            journey = known or Journey(str(param["company"]), number)
            if wrong := self._not_allowed(journey, param):
                self.complaints.append(f"{number}: {wrong}")
                return {"result": False, "returnCode": "700", "message": wrong}
            journey.subscribed_at.append(self._now())
            journey.company = str(param["company"])
            journey.callback, journey.salt = parameters["callbackurl"], parameters.get("salt", "")
            journey.phone, journey.status = parameters.get("phone", ""), "polling"
            self.journeys[number] = journey
        return {"result": True, "returnCode": "200", "message": "提交成功"}

    def _not_allowed(self, journey: Journey, param: Mapping[str, Any]) -> str:
        """Return why a number cannot be subscribed (again): too often in a month, or without the phone it takes."""
        recent = [at for at in journey.subscribed_at if self._now() - at < MONTH]
        if len(recent) >= SUBSCRIPTIONS:
            return "订阅次数超限"
        wants = str(param["company"]).startswith(("shunfeng", "zhongtong"))
        if wants and not re.fullmatch(r"[0-9]{4}|[0-9]{11}", str(param["parameters"].get("phone", ""))):
            return "手机号错误"
        return "" if 6 <= len(journey.number) <= 32 else "单号错误"

    def _recognise(self, asked: str) -> list[dict[str, str]]:
        form = {name: values[0] for name, values in parse_qs(asked).items()}
        if form.get("key") != self._key:
            return []
        prefixes = {"SF": "shunfeng", "YT": "yuantong", "JT": "jtexpress", "77": "shentong", "4": "yunda"}
        number = form.get("num", "")
        return [{"comCode": code, "noPre": prefix} for prefix, code in prefixes.items() if number.startswith(prefix)]

    def _query(self, form: Mapping[str, str]) -> dict[str, Any]:
        expected = hashlib.md5((form["param"] + self._key + self._customer).encode(), usedforsecurity=False).hexdigest()
        if form.get("customer") != self._customer or form.get("sign") != expected.upper():
            return {"result": False, "returnCode": "503", "message": "验证签名失败"}
        number = str(json.loads(form["param"])["num"])
        self.questions.append(number)
        journey = self.journeys.get(number)
        if journey is not None and journey.asked_at is not None and self._now() - journey.asked_at < ASK_EVERY:
            self.complaints.append(f"{number}: 查询过于频繁")
            return {"result": False, "returnCode": "408", "message": "该单号查询过于频繁，已被锁定"}
        if journey is not None:
            journey.asked_at = self._now()
        if journey is None or not journey.scans:
            return {"result": False, "returnCode": "500", "message": "查询无结果，请隔段时间再查"}
        return self._result(journey)

    # What the hub is told to do.

    def advance(self, number: str, *stages: str, push: bool = True) -> None:
        """Let things happen to a parcel, one after the other, each pushed unless told otherwise."""
        for name in stages:
            stage = STAGES[name]
            with self._lock:
                journey = self._journey(number)
                city = _CITIES[len(journey.scans) % len(_CITIES)]
                moment = self._now() + timedelta(seconds=len(journey.scans))
                self._scan(journey, moment, stage.text.format(city=city), stage.code, city)
                journey.state, journey.status = stage.state, stage.status
            if push:
                self.push(number)

    def scan(self, number: str, *, at: datetime, text: str, code: str, state: str) -> None:
        """Let one thing happen at a time of its own: a correction, an old number, a wrong clock."""
        with self._lock:
            journey = self._journey(number)
            self._scan(journey, at, text, code, "")
            journey.state = state

    def push(self, number: str, *, status: str | None = None, **more: str) -> tuple[int, bytes]:
        """Push the whole snapshot; ``status`` and further members of the push override the usual ones."""
        with self._lock:
            journey = self._journey(number)
            param = {
                "status": status or journey.status,
                "billstatus": "check" if journey.state == "3" else "sending",
                "message": "",
                "autoCheck": "0",
                "comOld": "",
                "comNew": "",
                "lastResult": self._result(journey),
                **more,
            }
            text = json.dumps(param, ensure_ascii=False)
            body = _form(text, _sign(text, journey.salt))
            journey.pushes.append(body)
            del journey.pushes[:-KEPT]
        return self._send(journey, body)

    def abort(self, number: str, message: str = "3天查询无记录") -> tuple[int, bytes]:
        """Give the number up."""
        answer = self.push(number, status="abort", message=message)
        self._journey(number).status = "abort"
        return answer

    def correct(self, number: str, company: str) -> tuple[int, bytes]:
        """Find that another carrier has the parcel."""
        journey = self._journey(number)
        old, journey.company = journey.company, company
        return self.push(number, autoCheck="1", comOld=old, comNew=company)

    def repeat(self, number: str, times: int = 1) -> list[tuple[int, bytes]]:
        """Push the last push again, byte for byte."""
        return [self.replay(number, -1) for _ in range(times)]

    def replay(self, number: str, index: int) -> tuple[int, bytes]:
        """Push an earlier push again, byte for byte: pushes overtake each other."""
        journey = self._journey(number)
        return self._send(journey, journey.pushes[index])

    def tamper(self, number: str) -> tuple[int, bytes]:
        """Push a changed body under the signature of the unchanged one."""
        journey = self._journey(number)
        text = json.dumps({"status": "shutdown", "lastResult": self._result(journey) | {"state": "3"}})
        return self._send(journey, _form(text + " ", _sign(text, journey.salt)))

    def command(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a JSON order says, for the dev server: ``{"number": ..., "do": "signed" | "repeat" | ...}``."""
        number, what = str(order["number"]), str(order["do"])
        if what in STAGES:
            self.advance(number, what)
        elif what in ("repeat", "tamper", "push", "abort"):
            getattr(self, what)(number)
        elif what == "replay":
            self.replay(number, int(order.get("index", 0)))
        elif what == "correct":
            self.correct(number, str(order["carrier"]))
        else:
            raise ValueError(f"no such command: {what}; there are {', '.join((*STAGES, *COMMANDS))}")
        journey = self._journey(number)
        status, body = journey.answers[-1]
        return {"number": number, "pushes": len(journey.pushes), "answered": status, "answer": body.decode()}

    def _journey(self, number: str) -> Journey:
        try:
            return self.journeys[number]
        except KeyError:
            raise UnknownNumber(number) from None

    def _scan(self, journey: Journey, moment: datetime, text: str, code: str, city: str) -> None:
        local = moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
        entry = {"time": local, "ftime": local, "context": text, "status": "", "statusCode": code, "areaName": city}
        journey.scans.append(entry)
        journey.scans.sort(key=lambda scan: scan["time"])

    def _result(self, journey: Journey) -> dict[str, Any]:
        return {
            "message": "ok",
            "state": journey.state,
            "status": "200",
            "condition": "F00",
            "ischeck": "1" if journey.state == "3" else "0",
            "com": journey.company,
            "nu": journey.number,
            "data": list(reversed(journey.scans)),
        }

    def _send(self, journey: Journey, body: bytes) -> tuple[int, bytes]:
        answer = self._deliver(journey.callback, {"content-type": FORM}, body)
        journey.answers.append(answer)
        del journey.answers[:-KEPT]
        return answer


COMMANDS = ("repeat", "replay", "tamper", "push", "abort", "correct")


def _sign(text: str, salt: str) -> str:
    return hashlib.md5((text + salt).encode(), usedforsecurity=False).hexdigest().upper()


def _form(param: str, sign: str) -> bytes:
    return urlencode({"sign": sign, "param": param}).encode()
