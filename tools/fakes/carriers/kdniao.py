"""The stand-in for KDNiao: strict about every form it is sent, and about the answer to every push of its own.

It computes signatures from the protocol, not from our adapter. A push is the whole story of one or many parcels::

    hub.advance("YT1", "collected", "in_transit")        # a signed push after each
    hub.push("YT1", "YT2")                               # both in one push
    hub.repeat()                                         # the last push again
    hub.replay(0)                                        # the first push again, after newer ones
    hub.forge("YT1", how="tampered")                     # a push that is not to be believed
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tools.fakes.carriers.hub import CHINA, FORM, Deliver, UnknownNumber
from tools.fakes.sandbox.shelf import Recent, Shelf

ROOM = 200
KEPT = 30
ASK_EVERY = timedelta(minutes=30)
SUBSCRIPTIONS = 2

STAGES: dict[str, tuple[str, str, str]] = {
    "collected": ("1", "1", "【{city}】快递员已取件"),
    "in_transit": ("2", "2", "【{city}】已离开转运中心"),
    "arrived": ("2", "201", "【{city}】到达派件网点"),
    "out_for_delivery": ("2", "202", "【{city}】正在派送途中"),
    "in_locker": ("2", "211", "【{city}】快件已到快递柜"),
    "problem": ("4", "405", "【{city}】派送不成功，将再次派送"),
    "refused": ("4", "404", "【{city}】收件人拒绝签收"),
    "signed": ("3", "301", "【{city}】已签收"),
    "returning": ("4", "407", "【{city}】退回途中"),
    "returned": ("4", "406", "【{city}】退件已签收"),
}
"""Command -> State, StateEx and the carrier's words."""
_CITIES = ("杭州市", "上海市", "南京市", "武汉市", "成都市", "深圳市", "北京市")
_TYPES = {
    "/api/dist": ("1008", "8008"),
    "/api/EOrderService": ("1007",),
    "/Ebusiness/EbusinessOrderHandle.aspx": ("1002", "8001", "2002"),
}
PATHS = tuple(_TYPES)
_FIELDS = ["RequestData", "EBusinessID", "RequestType", "DataSign", "DataType"]
_PHONES = ("SF", "ZTO", "KYSY")
_PREFIXES = {"SF": "SF", "YT": "YTO", "JT": "JTSD", "JD": "JD", "DPK": "DBL", "77": "STO", "4": "YD", "46": "YTO"}
"""How the numbers of some carriers begin."""
FORGERIES = ("tampered", "raw_digest", "double_encoded", "unsigned", "other_business", "other_key")


class Refused(Exception):
    """What the hub answers with ``Success: false``."""


@dataclass
class Parcel:
    """One number the hub knows."""

    code: str
    number: str
    callback: str = ""
    subscriptions: int = 0
    state: str = "0"
    finer: str = "0"
    traces: list[dict[str, str]] = field(default_factory=list)
    asked_at: datetime | None = None


class KDNiao:
    """The stand-in. Thread-safe; keeps everything in memory."""

    def __init__(
        self,
        deliver: Deliver,
        *,
        push_url: str = "https://shop.example/v1/webhooks/logistics/kdniao",
        business_id: str = "local-business",
        app_key: str = "local-kdniao-app-key",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._deliver = deliver
        self.push_url = push_url
        self._business = business_id
        self._key = app_key
        self._now = now
        self._lock = threading.RLock()
        self.parcels: dict[str, Parcel] = Shelf(Parcel, room=ROOM)
        self.refuse_with: str | None = None
        """Set a reason to have the next subscriptions refused with it."""
        self.drawn: dict[str, str] = {}
        """Our code of an order -> the number that was drawn for it."""
        self.codes: set[str] = set()
        """The carriers it knows; all where none is named."""
        self.questions: list[str] = Recent(1_000)
        self.complaints: list[str] = Recent(1_000)
        """What the shop did that the hub does not allow."""
        self.pushes: list[bytes] = []
        self.answers: list[tuple[int, bytes]] = []

    # What the hub serves.

    def handle(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Serve a call. The answer's status is always 200; ``Success`` says what came of it."""
        try:
            answer = self._answer(path, body)
        except Refused as reason:
            self.complaints.append(str(reason))
            answer = {"Success": False, "Reason": str(reason)}
        told = {"EBusinessID": self._business, "UpdateTime": self._time(), **answer}
        return 200, {"content-type": "application/json"}, json.dumps(told, ensure_ascii=False).encode()

    def _answer(self, path: str, body: bytes) -> dict[str, Any]:
        kind, data = self._opened(path, body)
        if kind in ("1008", "8008"):
            return self._subscribe(data)
        if kind == "1007":
            return self._draw(data)
        if kind == "2002":
            return self._recognise(data)
        return self._query(data)

    def _opened(self, path: str, body: bytes) -> tuple[str, dict[str, Any]]:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True)
        form = dict(pairs)
        if sorted(form) != sorted(_FIELDS) or len(pairs) != len(form) or form["DataType"] != "2":
            raise Refused("参数错误")
        if form["EBusinessID"] != self._business or form["DataSign"] != sign(form["RequestData"], self._key):
            raise Refused("签名错误")
        if form["RequestType"] not in _TYPES.get(path, ()):
            raise Refused("没有权限")
        try:
            data = json.loads(form["RequestData"])
        except ValueError:
            raise Refused("数据包错误") from None
        if not isinstance(data, dict) or not data.get("OrderCode" if form["RequestType"] == "1007" else "LogisticCode"):
            raise Refused("缺少参数")
        return form["RequestType"], data

    def _subscribe(self, data: Mapping[str, Any]) -> dict[str, Any]:
        if self.refuse_with is not None:
            return {"Success": False, "Reason": self.refuse_with}
        code, number = self._named(data)
        with self._lock:
            known = self.parcels.get(number)
            parcel = known or Parcel(code, number)
            if parcel.subscriptions >= SUBSCRIPTIONS:
                raise Refused("订阅次数超限")
            parcel.code, parcel.callback = code, str(data.get("CallBack", ""))
            parcel.subscriptions += 1
            self.parcels[number] = parcel
        return {"Success": True, "ShipperCode": code, "LogisticCode": number, "Reason": ""}

    def _query(self, data: Mapping[str, Any]) -> dict[str, Any]:
        code, number = self._named(data)
        self.questions.append(number)
        parcel = self.parcels.get(number)
        told = {"ShipperCode": code, "LogisticCode": number}
        if parcel is None:
            return {**told, "Success": False, "Reason": "暂无轨迹信息", "State": "0", "Traces": []}
        if parcel.asked_at is not None and self._now() - parcel.asked_at < ASK_EVERY:
            raise Refused("查询过于频繁")
        parcel.asked_at = self._now()
        if not parcel.traces:
            return {**told, "Success": False, "Reason": "暂无轨迹信息", "State": "0", "Traces": []}
        return self._told(parcel)

    def _draw(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Draw a number for an order's code, once; a repeat is told so, with what was drawn."""
        told = ("Name", "Mobile", "ProvinceName", "CityName", "ExpAreaName", "Address")
        people = [data.get("Sender"), data.get("Receiver")]
        if not all(isinstance(one, dict) and all(one.get(name) for name in told) for one in people):
            return {"Success": False, "ResultCode": "105", "Reason": "缺少参数[收寄件人]"}
        if (
            not (data.get("Commodity") or [{}])[0].get("GoodsName")
            or data.get("Quantity") != 1
            or "PayType" not in data
            or "ExpType" not in data
        ):
            return {"Success": False, "ResultCode": "105", "Reason": "缺少参数[缺少货物信息]"}
        code, order = str(data.get("ShipperCode", "")), str(data["OrderCode"])
        known = self.drawn.get(order)
        number = known or f"{code}{len(self.drawn) + 1:013d}"
        self.drawn[order] = number
        found = {"OrderCode": order, "ShipperCode": code, "LogisticCode": number}
        if known is not None:
            return {"Success": False, "ResultCode": "106", "Reason": "订单号重复下单", "Order": found}
        return {
            "Success": True,
            "ResultCode": "100",
            "Reason": "成功",
            "Order": found,
            "PrintTemplate": f"<p>{number}</p>",
        }

    def _recognise(self, data: Mapping[str, Any]) -> dict[str, Any]:
        number = str(data["LogisticCode"])
        codes = [code for prefix, code in _PREFIXES.items() if number.startswith(prefix)]
        shippers = [{"ShipperCode": code, "ShipperName": code} for code in codes]
        return {"Success": bool(codes), "Code": "100", "LogisticCode": number, "Shippers": shippers}

    def _named(self, data: Mapping[str, Any]) -> tuple[str, str]:
        code, number = str(data.get("ShipperCode", "")), str(data["LogisticCode"])
        if not re.fullmatch(r"[A-Z]{2,8}", code) or (self.codes and code not in self.codes):
            raise Refused("没有此快递公司")
        if code in _PHONES and not re.fullmatch(r"[0-9]{4}", str(data.get("CustomerName", ""))):
            raise Refused("缺少参数")
        return code, number

    # What the hub is told to do.

    def advance(self, number: str, *stages: str, push: bool = True) -> None:
        """Let things happen to a parcel, one after the other, each pushed unless told otherwise."""
        for name in stages:
            state, finer, text = STAGES[name]
            with self._lock:
                parcel = self._parcel(number)
                city = _CITIES[len(parcel.traces) % len(_CITIES)]
                moment = self._now() + timedelta(seconds=len(parcel.traces))
                self.scan(number, at=moment, text=text.format(city=city), code=finer, state=state, city=city)
            if push:
                self.push(number)

    def scan(self, number: str, *, at: datetime, text: str, code: str, state: str, city: str = "") -> None:
        """Let one thing happen at a time of its own."""
        with self._lock:
            parcel = self._parcel(number)
            local = at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
            trace = {"AcceptTime": local, "AcceptStation": text, "Remark": "", "Action": code, "Location": city}
            parcel.traces.append(trace)
            parcel.traces.sort(key=lambda one: one["AcceptTime"])
            parcel.state, parcel.finer = state, code

    def push(self, *numbers: str, kind: str = "102", strangers: tuple[Any, ...] = ()) -> tuple[int, bytes]:
        """Push the whole story of parcels at once; ``strangers`` are elements that nobody asked for."""
        with self._lock:
            told = [*strangers, *(self._told(self._parcel(number)) for number in numbers)]
            text = self._envelope(told)
        return self._send(_form(text, sign(text, self._key), self._business, kind))

    def repeat(self, times: int = 1) -> list[tuple[int, bytes]]:
        """Push the last push again, byte for byte."""
        return [self.replay(-1) for _ in range(times)]

    def replay(self, index: int) -> tuple[int, bytes]:
        """Push an earlier push again, byte for byte: pushes overtake each other."""
        return self._send(self.pushes[index], keep=False)

    def forge(self, number: str, *, how: str) -> tuple[int, bytes]:
        """Push a signature that is not one: in one of the ways of ``FORGERIES``."""
        honest = self._envelope([self._told(self._parcel(number))])
        signed = self._envelope([self._told(self._parcel(number)) | {"State": "3", "StateEx": "301"}])
        bodies = {
            "tampered": _form(signed, sign(honest, self._key), self._business),
            "raw_digest": _form(signed, _raw_digest(signed, self._key), self._business),
            "double_encoded": _form(_twice(signed), _twice(sign(signed, self._key)), self._business),
            "unsigned": _form(signed, "", self._business),
            "other_key": _form(signed, sign(signed, "another key"), self._business),
            "other_business": self._of_another(signed),
        }
        return self._send(bodies[how], keep=False)

    def correct(self, number: str, code: str) -> tuple[int, bytes]:
        """Find that another carrier has the parcel."""
        self._parcel(number).code = code
        return self.push(number)

    def command(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a JSON order says, for the dev server: ``{"number": ..., "do": "signed" | "push" | "repeat"}``."""
        number, what = str(order["number"]), str(order["do"])
        if what in STAGES:
            self.advance(number, what)
        elif what == "push":
            self.push(number)
        elif what == "repeat":
            self.repeat()
        elif what == "tamper":
            self.forge(number, how="tampered")
        else:
            raise ValueError(f"no such command: {what}; there are {', '.join((*STAGES, 'push', 'repeat', 'tamper'))}")
        status, body = self.answers[-1]
        return {"number": number, "pushes": len(self.pushes), "answered": status, "answer": body.decode()}

    def acknowledged(self, answer: tuple[int, bytes]) -> bool:
        """Say whether an answer ends a push: anything but the exact reply has it pushed again."""
        status, body = answer
        try:
            told = json.loads(body)
        except ValueError:
            return False
        when = told.pop("UpdateTime", "") if isinstance(told, dict) else ""
        is_time = isinstance(when, str) and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", when) is not None
        return status == 200 and is_time and told == {"EBusinessID": self._business, "Success": True, "Reason": ""}

    def _parcel(self, number: str) -> Parcel:
        try:
            return self.parcels[number]
        except KeyError:
            raise UnknownNumber(number) from None

    def _told(self, parcel: Parcel) -> dict[str, Any]:
        return {
            "EBusinessID": self._business,
            "OrderCode": "",
            "ShipperCode": parcel.code,
            "LogisticCode": parcel.number,
            "Success": True,
            "Reason": "",
            "State": parcel.state,
            "StateEx": parcel.finer,
            "CallBack": parcel.callback,
            "Location": parcel.traces[-1]["Location"] if parcel.traces else "",
            "Traces": [dict(trace) for trace in parcel.traces] or None,
        }

    def _envelope(self, told: list[Any]) -> str:
        push = {"EBusinessID": self._business, "PushTime": self._time(), "Count": str(len(told)), "Data": told}
        return json.dumps(push, ensure_ascii=False, separators=(",", ":"))

    def _of_another(self, text: str) -> bytes:
        """Return a push that is genuine, and for somebody else."""
        other = text.replace(f'"EBusinessID":"{self._business}"', '"EBusinessID":"9999999"')
        return _form(other, sign(other, self._key), "9999999")

    def _send(self, body: bytes, *, keep: bool = True) -> tuple[int, bytes]:
        if keep:
            self.pushes.append(body)
            del self.pushes[:-KEPT]
        answer = self._deliver(self.push_url, {"content-type": FORM}, body)
        self.answers.append(answer)
        del self.answers[:-KEPT]
        return answer

    def _time(self) -> str:
        return self._now().astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def sign(text: str, key: str) -> str:
    """Return what signs a text: base 64 of its MD5 in lower-case hex."""
    return base64.b64encode(hashlib.md5((text + key).encode(), usedforsecurity=False).hexdigest().encode()).decode()


def _raw_digest(text: str, key: str) -> str:
    return base64.b64encode(hashlib.md5((text + key).encode(), usedforsecurity=False).digest()).decode()


def _twice(text: str) -> str:
    return urlencode({"": text})[1:]


def _form(text: str, signature: str, business: str, kind: str = "102") -> bytes:
    fields = {"RequestData": text, "EBusinessID": business, "RequestType": kind, "DataSign": signature, "DataType": "2"}
    return urlencode(fields).encode()
