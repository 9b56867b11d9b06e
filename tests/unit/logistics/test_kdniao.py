from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.kernel import clock
from chalicelib.logistics.domain import Report, Status
from chalicelib.logistics.ports import BadSignature, Parcel, Subscribed, UnreadablePush
from chalicelib.logistics.providers import kdniao, kdniao_codes
from chalicelib.runtime import outbound, secrets

BUSINESS, KEY = "1237100", "an app key of a test"
SHIPMENT = "shp_0123456789abcdefghjkmnpq_011"
HUB = kdniao.build()


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "text", lambda name, key: {"business_id": BUSINESS, "app_key": KEY}[key])


def trace(at: str, action: str = "2", text: str = "moved") -> dict[str, str]:
    return {"AcceptTime": at, "AcceptStation": text, "Remark": "", "Action": action, "Location": "深圳市"}


def element(**changes: Any) -> dict[str, Any]:
    plain = {"EBusinessID": BUSINESS, "ShipperCode": "YTO", "LogisticCode": "YT1", "CallBack": SHIPMENT}
    return {**plain, "Success": True, "State": "2", "StateEx": "202", "Traces": [], **changes}


def push(*elements: Any, **changes: Any) -> bytes:
    return json.dumps({"EBusinessID": BUSINESS, "Count": "1", "Data": list(elements), **changes}).encode()


def form(data: bytes, sign: str | None = None) -> bytes:
    return urlencode({"RequestData": data, "DataSign": kdniao.data_sign(data, KEY) if sign is None else sign}).encode()


def read(*elements: Any) -> Any:
    return HUB.read(push(*elements))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("0", None),
        ("10", Status.CREATED),
        ("1", Status.COLLECTED),
        ("2", Status.IN_TRANSIT),
        ("201", Status.IN_TRANSIT),
        ("202", Status.OUT_FOR_DELIVERY),
        ("211", Status.READY_FOR_PICKUP),
        ("299", Status.IN_TRANSIT),
        *((code, Status.DELIVERED) for code in ("3", "301", "302", "304", "311", "399")),
        *((code, Status.PROBLEM) for code in ("4", "401", "402", "403", "405", "412", "413")),
        ("404", Status.REFUSED),
        ("406", Status.RETURNED),
        ("407", Status.RETURNING),
        ("20200001", Status.OUT_FOR_DELIVERY),
        ("30100099", Status.DELIVERED),
        (202, Status.OUT_FOR_DELIVERY),
        *((code, None) for code in ("5", "6", "9", "777", "", None, "x", "２", "2.0", True, "123456789", ["2"])),
    ],
)
def test_a_code_means_what_its_longest_known_beginning_means(code: object, status: Status | None) -> None:
    assert kdniao_codes.status_of(code) is status


def test_no_two_carriers_have_one_code_and_none_is_a_stranger() -> None:
    from chalicelib.logistics.carriers import CARRIERS

    assert set(kdniao_codes.CODE_OF) <= set(CARRIERS)
    assert len(set(kdniao_codes.CODE_OF.values())) == len(kdniao_codes.CODE_OF)
    assert kdniao_codes.carrier_of(" yto ") == "yuantong"
    assert (HUB.serves("yuantong"), HUB.serves("rrs")) == (True, False)


def test_scans_come_out_newest_first_in_either_order_and_those_of_one_moment_as_they_happened() -> None:
    told = [
        trace("2026-11-22 08:00:00", "1", "collected"),
        trace("2026-11-22 09:00:00", "2", "left"),
        trace("2026-11-22 09:00:00", "201", "came"),
    ]
    wanted = ["came", "left", "collected"]
    assert [scan.text for scan in read(element(Traces=told))[0].scans] == wanted
    assert [scan.text for scan in read(element(Traces=told[::-1]))[0].scans] == wanted
    assert read(element(Traces=told))[0].scans[0].at == datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


def test_the_finer_code_says_where_the_parcel_is_and_an_unknown_one_leaves_it_to_the_other() -> None:
    one = [trace("2026-11-22 08:00:00", "211")]
    states = [
        read(element(State=state, StateEx=finer, Traces=one))[0].status
        for state, finer in (("2", "202"), ("3", "304"), ("2", "9"), ("", ""), ("0", "0"), (2, None))
    ]
    assert states == [
        Status.OUT_FOR_DELIVERY,
        Status.DELIVERED,
        Status.IN_TRANSIT,
        Status.READY_FOR_PICKUP,
        Status.READY_FOR_PICKUP,
        Status.IN_TRANSIT,
    ]


def test_a_signature_or_a_return_ends_the_watching() -> None:
    reports = [read(element(State=code[0], StateEx=code))[0].report for code in ("301", "406", "404", "407", "202")]
    assert reports == [Report.FINISHED, Report.FINISHED, Report.WATCHING, Report.WATCHING, Report.WATCHING]


def test_one_bad_element_does_not_lose_the_others() -> None:
    bad: list[Any] = [
        None,
        7,
        "text",
        [],
        {},
        element(LogisticCode=None),
        element(EBusinessID="999"),
        element(LogisticCode=" "),
    ]
    odd = element(Traces=[None, trace("nonsense"), trace("2026-11-22 08:00:00"), {"AcceptTime": 5}], State=None)
    found = read(*bad[:4], odd, *bad[4:], element(LogisticCode="YT2", Callback=SHIPMENT, CallBack=None, Traces=None))

    assert [(one.number, len(one.scans), one.shipment_id) for one in found] == [
        ("YT1", 1, SHIPMENT),
        ("YT2", 0, SHIPMENT),
    ]


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"null", b"\xff", b'{"Data": {}}', b"[" * 100_000])
def test_what_is_no_push_is_unreadable(payload: bytes) -> None:
    with pytest.raises(UnreadablePush):
        HUB.read(payload)


def test_a_push_that_tells_of_no_parcel_is_empty() -> None:
    assert HUB.read(json.dumps({"EBusinessID": BUSINESS, "PaidAmount": "5"}).encode()) == []


def test_what_is_signed_for_another_business_or_with_another_key_is_refused() -> None:
    honest = push(element())
    assert HUB.verify(shipment_id="", headers={}, body=form(honest)) == honest
    for body in (
        form(push(element(), EBusinessID="999")),
        form(b"[]"),
        form(honest, ""),
        form(honest, kdniao.data_sign(honest, "another")),
        form(honest, "\xe9"),
        form(honest) + b"&DataSign=x",
        urlencode({"RequestData": honest}).encode(),
        b"",
    ):
        with pytest.raises((BadSignature, UnreadablePush)):
            HUB.verify(shipment_id="", headers={}, body=body)


def test_json_is_read_where_the_content_type_says_so() -> None:
    data = push(element())
    body = json.dumps({"RequestData": data.decode(), "RequestType": 102, "DataSign": kdniao.data_sign(data, KEY)})
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert HUB.verify(shipment_id="", headers=headers, body=body.encode()) == data
    with pytest.raises(BadSignature):
        HUB.verify(shipment_id="", headers={}, body=body.encode())


def test_the_replies_are_exact() -> None:
    with clock.use(lambda: datetime(2026, 11, 22, 16, 30, 5, tzinfo=UTC)):
        taken, refused = HUB.acknowledge(), HUB.refuse(BadSignature(why="no"))
    assert taken.body == '{"EBusinessID":"1237100","UpdateTime":"2026-11-23 00:30:05","Success":true,"Reason":""}'
    assert (taken.status, taken.headers) == (200, {"Content-Type": "application/json; charset=utf-8"})
    assert (refused.status, json.loads(refused.body)["Success"]) == (403, False)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"Success": True}, Subscribed.YES),
        ({"Success": "true"}, Subscribed.YES),
        ({"Success": False, "Reason": "重复订阅"}, Subscribed.YES),
        ({"Success": False, "Reason": "该单号已订阅"}, Subscribed.YES),
        *(({"Success": False, "Reason": f"{word}错误"}, Subscribed.REFUSED) for word in ("余额", "次数", "签名")),
        ({"Success": False, "Reason": "没有权限"}, Subscribed.REFUSED),
        ({"Success": False, "Reason": "没有此快递公司"}, Subscribed.UNSERVED),
        ({"Success": False, "Reason": "不支持"}, Subscribed.UNSERVED),
        ({"Success": False, "Reason": "系统繁忙"}, Subscribed.LATER),
        ({"Success": False, "Reason": None}, Subscribed.LATER),
        ({}, Subscribed.LATER),
        ([], Subscribed.LATER),
    ],
)
def test_a_reason_says_whether_to_try_again(answer: object, outcome: Subscribed) -> None:
    outbound.install(lambda _: outbound.Response(200, {}, json.dumps(answer).encode()))
    try:
        told = HUB.subscribe(Parcel(SHIPMENT, "yuantong", "YT1"))
    finally:
        outbound.install(None)
    assert told.outcome is outcome
