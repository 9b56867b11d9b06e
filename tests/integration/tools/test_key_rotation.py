"""Keys are changed while the shop is open: what was signed before a step still counts after it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3.session
import pytest

from chalicelib.runtime import strength
from tools.release import key_forms, key_rotation, keys
from tools.release.key_rotation import NotYet

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
INSTALLED = "rotating"


class Session:
    def client(self, service: str) -> Any:
        session: Any = boto3.session.Session(
            os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1"
        )
        return session.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"])


@pytest.fixture
def session(cloud: str) -> Session:
    found = Session()
    stripe = {"secret_key": "sk_test_1Ab2Cd3Ef4", "webhook_secrets": ["whsec_1Ab2Cd3Ef4"]}
    sandbox = {"merchant_id": "m1", "api_key": "a key of a test", "webhook_key": "another of a test"}
    keys.create(found, INSTALLED, {**keys.ours(), "payments-stripe": stripe, "payments-sandbox": sandbox})
    return found


def kids(session: Session) -> list[str]:
    return [entry["kid"] for entry in key_rotation.read(session, INSTALLED, "auth")["signing_keys"]]


def rotate(session: Session, path: str, after: timedelta = timedelta()) -> str:
    return key_rotation.rotate(session, INSTALLED, path, NOW + after)


def test_a_signing_key_is_known_before_it_signs_and_the_old_one_after_it(session: Session) -> None:
    value = key_rotation.read(session, INSTALLED, "auth")
    value["signing_keys"][0]["kid"] = "k20250101000000"
    key_rotation.write(session, INSTALLED, "auth", value)
    old, fresh = "k20250101000000", NOW.strftime("k%Y%m%d%H%M%S")

    assert "verifies" in rotate(session, "auth.signing_keys")
    assert kids(session) == [old, fresh]
    with pytest.raises(NotYet, match="wait 1 s more: it is not known everywhere"):
        rotate(session, "auth.signing_keys", key_rotation.KNOWN_AFTER - timedelta(seconds=1))
    assert kids(session) == [old, fresh]
    assert "signs from now on" in rotate(session, "auth.signing_keys", key_rotation.KNOWN_AFTER)
    assert kids(session) == [fresh, old]
    with pytest.raises(NotYet, match="may still count"):
        rotate(session, "auth.signing_keys", timedelta(hours=23))
    assert f"{old} no longer verify" in rotate(session, "auth.signing_keys", timedelta(days=1))
    assert kids(session) == [fresh]
    assert list(strength.weaknesses("auth", key_rotation.read(session, INSTALLED, "auth"))) == []
    assert key_rotation.read(session, INSTALLED, "auth")["pepper"] == value["pepper"]


def test_a_key_with_a_name_that_somebody_gave_is_the_older_one(session: Session) -> None:
    value = key_rotation.read(session, INSTALLED, "auth")
    value["signing_keys"][0]["kid"] = "main"
    key_rotation.write(session, INSTALLED, "auth", value)
    rotate(session, "auth.signing_keys")
    rotate(session, "auth.signing_keys", timedelta(hours=1))
    assert kids(session)[1] == "main"


@pytest.mark.parametrize("path", ["http.cursor_key", "checkout.quote_key"])
def test_a_key_for_what_lives_minutes_is_replaced_at_once(session: Session, path: str) -> None:
    secret, field = path.split(".")
    before = key_rotation.read(session, INSTALLED, secret)
    rotate(session, path)
    after = key_rotation.read(session, INSTALLED, secret)
    assert after[field] != before[field]
    assert {k: v for k, v in after.items() if k != field} == {k: v for k, v in before.items() if k != field}
    assert list(strength.weaknesses(secret, after)) == []


def test_the_origin_key_before_counts_until_the_cdn_shows_the_new_one(session: Session) -> None:
    before = key_rotation.read(session, INSTALLED, "http")["origin_key"]
    rotate(session, "http.origin_key")
    after = key_rotation.read(session, INSTALLED, "http")
    assert after["origin_key_before"] == before != after["origin_key"]


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("auth.pepper", NotYet, "nobody can sign in again"),
        ("auth", key_forms.FormError, "is no key of ours; there are http.cursor_key"),
        ("payments-stripe.secret_key", key_forms.FormError, "is no key of ours"),
        ("auth.unheard_of", key_forms.FormError, "is no key of ours"),
    ],
)
def test_what_must_not_change_or_is_not_ours_is_refused(
    session: Session, path: str, error: type[Exception], words: str
) -> None:
    before = key_rotation.read(session, INSTALLED, "auth")
    with pytest.raises(error, match=words):
        rotate(session, path)
    assert key_rotation.read(session, INSTALLED, "auth") == before


def test_a_providers_new_key_stands_beside_the_old_one(session: Session) -> None:
    given = keys.told(
        ["payments-stripe.webhook_secrets[1]=whsec_5Gh6Ij7Kl8", "payments-sandbox.webhook_key=yet another"]
    )
    assert key_rotation.change(session, INSTALLED, given) == [
        f"biandan/{INSTALLED}/payments-stripe",
        f"biandan/{INSTALLED}/payments-sandbox",
    ]
    stripe = key_rotation.read(session, INSTALLED, "payments-stripe")
    assert stripe["webhook_secrets"] == ["whsec_1Ab2Cd3Ef4", "whsec_5Gh6Ij7Kl8"]
    sandbox = key_rotation.read(session, INSTALLED, "payments-sandbox")
    assert (sandbox["webhook_key"], sandbox["webhook_key_before"]) == ("yet another", "another of a test")
    previous = session.client("secretsmanager").get_secret_value(
        SecretId=f"biandan/{INSTALLED}/payments-stripe", VersionStage="AWSPREVIOUS"
    )
    assert json.loads(previous["SecretString"])["webhook_secrets"] == ["whsec_1Ab2Cd3Ef4"]


@pytest.mark.parametrize(
    "bad",
    [
        "payments-stripe.api_key=sk_test_9",
        "payments-stripe.secret_key=changeme",
        "payments-alipay.app_id=2019073166072302",
    ],
)
def test_one_bad_change_of_several_changes_nothing(session: Session, bad: str) -> None:
    before = key_rotation.read(session, INSTALLED, "payments-sandbox")
    with pytest.raises(key_forms.FormError):
        key_rotation.change(session, INSTALLED, keys.told(["payments-sandbox.api_key=a newer key", bad]))
    assert key_rotation.read(session, INSTALLED, "payments-sandbox") == before
