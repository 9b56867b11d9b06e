"""A notice under a key that we do not hold is told from a forgery; keys are refreshed by the clock alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.keys import refresh
from chalicelib.runtime import metrics, outbound, secrets
from infra import functions, policies
from tests.support import http, people
from tests.support.paying import Till, payment
from tools.fakes import resources
from tools.fakes.sandbox import wechatpay as other_end
from tools.fakes.sandbox.alipay import Alipay, certified_key
from tools.fakes.sandbox.mount import transport
from tools.fakes.sandbox.stand_in import Steering


def opened(noon: Any, name: str, sandbox: Any, **changes: Any) -> Till:
    outbound.install(transport(sandbox))
    resources.create_all({f"payments-{name}": {**sandbox.configuration(), **changes}})
    return Till(noon, sandbox, people.buyer(), people.operator())


def now() -> float:
    return clock.now().timestamp()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(metrics, "count", lambda name, *_: found.append(name))
    return found


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    both = [other_end.certificate(1), other_end.public_key(1)]
    yield opened(noon, "wechatpay", other_end.WechatPay(now=now, platform=both))
    outbound.install(None)


def post(till: Till, name: str, headers: dict[str, str], body: bytes) -> http.Answer:
    return http.call("POST", f"/v1/webhooks/payments/{name}", raw=body, headers=headers)


def paid(till: Till, name: str, **body: Any) -> tuple[str, Any]:
    """Start and pay an attempt of which no notice comes; returns it and the notice that waits."""
    sale = till.sale()
    payment_id = str(till.start(sale, provider=name, **body).json["payment_id"])
    till.sandbox.pay(payment_id)
    (out,) = till.sandbox.outbox
    till.sandbox.outbox.clear()
    return payment_id, out


def test_a_genuine_notice_under_an_unknown_key_is_to_come_again_and_a_forgery_is_refused(
    till: Till, counted: list[str]
) -> None:
    payment_id, out = paid(till, "wechatpay")
    headers, body = till.sandbox.signed_notice(out.content, Steering(unknown_key=True))
    calls = list(till.sandbox.calls)

    assert post(till, "wechatpay", headers, body).status == 503
    assert counted.count("notices_unknown_key") == 1
    forged = body.replace(b'"ciphertext"', b'"ciphertext_"')
    assert post(till, "wechatpay", headers, forged).status == 401
    assert post(till, "wechatpay", headers, b'{"id":"x","event_type":"TRANSACTION.SUCCESS"}').status == 401
    till.clock.advance(timedelta(seconds=301))
    assert post(till, "wechatpay", headers, body).status == 401  # The same once more, too late: a replay.
    assert counted.count("notices_unknown_key") == 1
    assert till.sandbox.calls == calls  # Nothing is fetched in a webhook.
    assert payment(payment_id).status is PaymentStatus.PENDING


@pytest.mark.parametrize("serial", ["", "PUB_KEY_ID_9", "ABCDEF"])
def test_a_probe_is_refused_as_it_wants_and_worries_nobody(till: Till, counted: list[str], serial: str) -> None:
    _, out = paid(till, "wechatpay")
    headers, body = till.sandbox.signed_notice(out.content)
    known = {name.lower(): value for name, value in headers.items()}
    probe = {**known, "wechatpay-signature": "WECHATPAY/SIGNTEST/" + known["wechatpay-signature"][19:]}
    if serial:
        probe["wechatpay-serial"] = serial

    assert post(till, "wechatpay", probe, body).status == 401
    assert "notices_unknown_key" not in counted
    assert "notices_forged" in counted


def test_alipays_unknown_certificate_is_told_from_a_forgery_as_far_as_it_can(
    cloud: str, noon: Any, counted: list[str]
) -> None:
    keys = [certified_key(1), certified_key(2)]
    till = opened(noon, "alipay", Alipay(now=now, certificates=True, signing=keys))
    _, out = paid(till, "alipay", method="qr")
    headers, body = till.sandbox.signed_notice(out.content)
    sn = next(key.sn for key in keys if key.sn and key.sn.encode() in body)

    other = body.replace(sn.encode(), b"0123456789abcdef0123456789abcdef")
    assert post(till, "alipay", headers, other).status == 503
    assert counted.count("notices_unknown_key") == 1
    app = till.sandbox.configuration()["app_id"].encode()
    assert post(till, "alipay", headers, other.replace(app, b"2099")).status == 401
    assert post(till, "alipay", headers, other.replace(b"sign=", b"sign=A")).status == 401
    assert counted.count("notices_unknown_key") == 1
    outbound.install(None)


# --- keys by the clock -----------------------------------------------------------------------------------------------


def fetching(cloud: str, noon: Any) -> Till:
    """Open a merchant of certificates that knows the first one, while WeChat Pay has begun to sign with the second."""
    first, second = other_end.certificate(1), other_end.certificate(2)
    known = other_end.WechatPay(now=now, platform=[first]).configuration()["platform_keys"]
    sandbox = other_end.WechatPay(now=now, platform=[first, second])
    return opened(noon, "wechatpay", sandbox, platform_keys=known, fetch_platform_certificates=True)


def test_the_clock_fetches_certificates_into_a_secret_of_their_own(cloud: str, noon: Any, counted: list[str]) -> None:
    till = fetching(cloud, noon)
    resources.create_all({"payments-wechatpay-fetched": {}})
    before = secrets.secret("payments-wechatpay")
    payment_id, out = paid(till, "wechatpay")
    second = other_end.certificate(2)
    _, body = till.sandbox.signed_notice(out.content)
    sandbox: Any = till.sandbox
    headers = sandbox._signature_headers(body, int(now()), wanted=second.serial)
    headers["content-type"] = "application/json"
    assert post(till, "wechatpay", headers, body).status == 503

    assert refresh.refresh()["wechatpay"] == "fetched"
    assert refresh.refresh()["wechatpay"] == "kept"

    assert post(till, "wechatpay", headers, body).status == 204
    till.pump.drain()
    assert payment(payment_id).status is PaymentStatus.CAPTURED
    assert secrets.secret("payments-wechatpay") == before
    assert "payment_keys_failed" not in counted
    outbound.install(None)


def test_keys_that_cannot_be_fetched_or_kept_raise_an_alarm_and_change_nothing(
    cloud: str, noon: Any, counted: list[str]
) -> None:
    fetching(cloud, noon)
    assert refresh.refresh()["wechatpay"] == "failed"  # Nobody made the secret.
    outbound.install(lambda request: outbound.Response(200, {}, b'{"data":[]}'))
    assert refresh.refresh()["wechatpay"] == "failed"  # Nobody signed it.
    assert counted.count("payment_keys_failed") == 2
    outbound.install(None)


def test_a_merchant_of_public_keys_fetches_nothing(till: Till) -> None:
    calls = list(till.sandbox.calls)
    assert refresh.refresh()["wechatpay"] == "not wanted"
    assert till.sandbox.calls == calls


def test_only_the_job_may_write_and_only_what_it_fetched() -> None:
    writers = {name for name, function in functions.FUNCTIONS.items() if function.keeps}
    (statement,) = [part for part in policies.policy("payment-keys")["Statement"] if part["Sid"] == "KeptSecrets"]
    assert writers == {"payment-keys"}
    assert statement["Action"] == ["secretsmanager:PutSecretValue"]
    assert [resource["Fn::Sub"].rsplit("/", 1)[1] for resource in statement["Resource"]] == [
        "payments-*-fetched-??????"
    ]
