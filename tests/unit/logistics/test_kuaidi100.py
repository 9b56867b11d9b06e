from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from chalicelib.logistics.domain import Report, Status
from chalicelib.logistics.ports import BadSignature, PushRefused, UnreadablePush
from chalicelib.logistics.providers import forms, kuaidi100
from chalicelib.runtime import secrets

SHIPMENT = "shp_0123456789abcdefghjkmnpq_011"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"customer": "kuaidi100-customer", "key": "kuaidi100-key", "salt_key": "salt-key"}
    monkeypatch.setattr(secrets, "text", lambda name, key: values[key])


def signed(param: bytes, *, sign: str | None = None, shipment_id: str = SHIPMENT) -> bytes:
    sign = kuaidi100.push_signature(param, kuaidi100.salt_of(shipment_id)) if sign is None else sign
    return urlencode({"sign": sign, "param": param}).encode()


def verify(body: bytes, shipment_id: str = SHIPMENT) -> bytes:
    return kuaidi100.build().verify(shipment_id=shipment_id, headers={}, body=body)


def test_the_recorded_query_signature_is_reproduced() -> None:
    param = '{"com":"shunfeng","num":"765720722994","from":"","to":"","resultv2":0}'

    assert kuaidi100.query_signature(param, "kuaidi100-key", "kuaidi100-customer") == "AEB6EE344DD2FF0C124DEFD642C8F16B"


def test_the_signature_covers_the_decoded_bytes_whatever_json_would_make_of_them() -> None:
    param = '{ "b" : 1.0,\t"a":"签收 +&=%",  "a":"twice"}'.encode()

    assert verify(signed(param)) == param
    assert verify(signed(param).replace(b"%2B", b"%2b")) == param
    assert verify(signed(param, sign=kuaidi100.push_signature(param, kuaidi100.salt_of(SHIPMENT)).lower())) == param


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b"", UnreadablePush),
        (b"sign=AB", UnreadablePush),
        (b"param=", UnreadablePush),
        (b"param=%7B%7D", BadSignature),
        (b"param=%7B%7D&sign=", BadSignature),
        (b"param=%7B%7D&sign=%FF%FE", BadSignature),
        (b"param=%7B%7D&sign=" + b"A" * 32, BadSignature),
        (b"param=1&param=2&sign=x", UnreadablePush),
        (b"&".join(b"f%d=1" % number for number in range(30)), UnreadablePush),
        ("签收".encode("gbk"), UnreadablePush),
    ],
)
def test_every_other_body_is_a_typed_refusal(body: bytes, refusal: type[PushRefused]) -> None:
    with pytest.raises(refusal):
        verify(body)


def test_a_salt_opens_one_shipment_only() -> None:
    body = signed(b"{}")

    with pytest.raises(BadSignature):
        verify(body, SHIPMENT[:-1] + "2")
    assert len(kuaidi100.salt_of(SHIPMENT)) == 32


def test_a_changed_byte_is_refused() -> None:
    body = signed(b'{"status":"polling"}')

    with pytest.raises(BadSignature):
        verify(body.replace(b"polling", b"pollinG"))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("0", Status.IN_TRANSIT),
        ("1", Status.COLLECTED),
        (3, Status.DELIVERED),
        ("4", Status.RETURNED),
        ("14", Status.REFUSED),
        ("103", Status.COLLECTED),
        ("101", Status.CREATED),
        ("1002", Status.IN_TRANSIT),
        ("203", Status.REFUSED),
        ("208", Status.PROBLEM),
        ("304", Status.DELIVERED),
        ("311", Status.DELIVERED),
        ("401", Status.RETURNED),
        ("501", Status.READY_FOR_PICKUP),
        ("599", Status.OUT_FOR_DELIVERY),
        ("12", Status.CUSTOMS),
        ("99", None),
        ("999", None),
        ("", None),
        (None, None),
        ("签收", None),
        ([], None),
    ],
)
def test_states_are_mapped_by_the_exact_table_then_by_the_first_digit(code: object, status: Status | None) -> None:
    assert kuaidi100.status_of(code) is status


def test_a_push_is_read_into_a_snapshot() -> None:
    push = {
        "status": "polling",
        "billstatus": "sending",
        "autoCheck": "1",
        "comOld": "yuantong",
        "comNew": "ems",
        "lastResult": {
            "state": "5",
            "com": "ems",
            "nu": "1234567890",
            "data": [
                {"time": "2026-11-22 12:00:00", "context": "到柜", "statusCode": "501", "location": "杭州"},
                {"ftime": "2026/11/22 09:30:00", "context": "派件", "statusCode": "5", "areaName": "浙江"},
                {"time": "soon", "context": "no time"},
                "not an object",
                {"time": "2026-11-21T08:00:00+00:00", "context": "x" * 1000},
            ],
        },
    }

    [snapshot] = kuaidi100.build().read(json.dumps(push).encode())

    assert snapshot.number == "1234567890"
    assert snapshot.report is Report.WATCHING
    assert snapshot.status is Status.READY_FOR_PICKUP
    assert snapshot.corrected_carrier == "ems"
    assert [(scan.at, scan.status, scan.place) for scan in snapshot.scans] == [
        (datetime(2026, 11, 22, 4, 0, tzinfo=UTC), Status.READY_FOR_PICKUP, "杭州"),
        (datetime(2026, 11, 22, 1, 30, tzinfo=UTC), Status.OUT_FOR_DELIVERY, "浙江"),
        (datetime(2026, 11, 21, 8, 0, tzinfo=UTC), None, ""),
    ]
    assert len(snapshot.scans[2].text) == 300


@pytest.mark.parametrize("payload", [b"", b"[]", b"\xff", b"[" * 100_000, b'"x"'])
def test_what_is_no_push_is_refused(payload: bytes) -> None:
    with pytest.raises(UnreadablePush):
        kuaidi100.build().read(payload)


@pytest.mark.parametrize(
    ("status", "report"),
    [
        ("polling", Report.WATCHING),
        ("shutdown", Report.FINISHED),
        ("abort", Report.ABORTED),
        ("updateall", Report.REWRITTEN),
    ],
)
def test_a_push_without_data_still_says_how_the_watch_stands(status: str, report: Report) -> None:
    [snapshot] = kuaidi100.build().read(json.dumps({"status": status, "message": "3天查询无记录"}).encode())

    assert (snapshot.report, snapshot.status, snapshot.scans, snapshot.why) == (report, None, (), "3天查询无记录")


def test_times_without_a_zone_are_chinas() -> None:
    assert forms.china_time("2026-11-22 00:30:00") == datetime(2026, 11, 21, 16, 30, tzinfo=UTC)
    assert forms.china_time("2026-11-22T00:30:00Z") == datetime(2026, 11, 22, 0, 30, tzinfo=UTC)
    assert forms.china_time("0001-01-01 00:00:00") is None
    assert forms.china_time(20261122) is None


def test_the_reply_is_exact() -> None:
    answer = kuaidi100.build().acknowledge()

    assert answer.body.encode() == b'{"result":true,"returnCode":"200","message":"\xe6\x88\x90\xe5\x8a\x9f"}'
    assert (answer.status, answer.headers) == (200, {"Content-Type": "application/json; charset=utf-8"})
