"""KDNiao against recorded vectors: what we send byte for byte, and which pushes are genuine."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from chalicelib.logistics.ports import PushRefused
from chalicelib.logistics.providers import kdniao
from chalicelib.runtime import outbound, secrets
from tests.contract.recorded import names, vectors

RECORDED = vectors("kdniao_push_public.json", "kdniao_form")
CALLS = [vector for vector in RECORDED if vector["id"].startswith("kdn-req")]
PUSHES = [vector for vector in RECORDED if vector not in CALLS]
[SIGNED] = vectors("logistics_public.json", "kdniao")


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"business_id": "1237100", "app_key": RECORDED[0]["app_key"]}
    monkeypatch.setattr(secrets, "text", lambda name, key: values[key])


@pytest.mark.parametrize("vector", CALLS, ids=names(CALLS))
def test_a_call_is_encoded_once_and_signed_over_the_plain_text(vector: Any) -> None:
    sent: list[outbound.Request] = []

    def answer(request: outbound.Request) -> outbound.Response:
        sent.append(request)
        return outbound.Response(200, {}, b'{"Success":true}')

    outbound.install(answer)
    try:
        kdniao.call(kdniao.DIST, vector["RequestType"], json.loads(vector["RequestData"]))
    finally:
        outbound.install(None)

    assert sent[0].body == vector["form"].encode()


@pytest.mark.parametrize("vector", PUSHES, ids=names(PUSHES))
def test_a_push_is_believed_exactly_if_it_is_signed_over_what_one_decoding_gives(vector: Any) -> None:
    def verified() -> bytes:
        return kdniao.build().verify(shipment_id="", headers={}, body=vector["form"].encode())

    if vector["expect"]["verify"]:
        assert verified() == vector["RequestData"].encode()
        assert parse_qs(vector["form"])["DataSign"] == [
            kdniao.data_sign(vector["RequestData"].encode(), vector["app_key"])
        ]
    else:
        with pytest.raises(PushRefused):
            verified()


def test_a_signature_recorded_elsewhere_is_reproduced() -> None:
    assert kdniao.data_sign(SIGNED["request_data"].encode(), SIGNED["app_key"]) == SIGNED["data_sign"]
