"""How a key is written and read, and where it may come from."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.auth.keyrings import HOLDERS, MOST, Former, Key, Ring, Rotation, TooManyKeys
from chalicelib.auth.keys import domain
from chalicelib.auth.keys.domain import BadKey
from chalicelib.policy import SCOPES, TABLE

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
KEY_ID = "key_" + "7" * 24
SHOWN = domain.written(KEY_ID, bytes(range(20)))


def key(**more: Any) -> Key:
    made = Key(
        key_id=KEY_ID,
        merchant_id="mer_1",
        name="Stock",
        scopes=("stock:read",),
        networks=(),
        digest=domain.digest(SHOWN),
        by="acc_1",
        made_at=NOW,
        expires_at=NOW + timedelta(days=1),
        fingerprint="f",
    )
    return replace(made, **more)


def test_a_key_is_known_by_its_form_and_read_again() -> None:
    assert (len(SHOWN), SHOWN[:4]) == (66, "bdk_")
    assert re.fullmatch(r"bdk_[0-9a-hjkmnp-tv-z]{62}", SHOWN)
    assert domain.read(SHOWN) == (KEY_ID, domain.digest(SHOWN))
    assert KEY_ID[4:] in SHOWN
    assert domain.digest(SHOWN) not in SHOWN


def test_every_typo_is_seen_without_a_read() -> None:
    """Each place with another character, two neighbours swapped, cut off, longer, in capitals."""
    wrong = {SHOWN[:at] + one + SHOWN[at + 1 :] for at in range(4, 66) for one in "0x" if SHOWN[at] != one}
    wrong |= {SHOWN[:at] + SHOWN[at + 1] + SHOWN[at] + SHOWN[at + 2 :] for at in range(4, 64)} - {SHOWN}
    wrong |= {
        SHOWN[:-1],
        SHOWN + "0",
        SHOWN.upper(),
        " " + SHOWN,
        SHOWN + "\n",
        "",
        "bdk_",
        SHOWN.replace("bdk_", "bdi_"),
    }
    assert len(wrong) > 150
    for one in wrong:
        with pytest.raises(BadKey):
            domain.read(one)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("203.0.113.7", "203.0.113.7/32"),
        ("2001:DB8:0::/48", "2001:db8::/48"),
        ("203.0.113.7/24", None),
        ("0.0.0.0/0", None),
        ("::/0", None),
        ("203.0.113.0/33", None),
        ("example.com", None),
        ("", None),
    ],
)
def test_a_network_is_one_and_not_everywhere(text: str, found: str | None) -> None:
    assert domain.network(text) == found


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("203.0.113.255", True),
        ("::ffff:203.0.113.9", True),
        ("2001:db8::1%eth0", True),
        ("203.0.114.0", False),
        ("2001:db9::1", False),
        ("", False),
        ("nowhere", False),
    ],
)
def test_where_a_key_may_come_from(address: str, *, inside: bool) -> None:
    assert domain.is_within(address, ("203.0.113.0/24", "2001:db8::/48")) is inside


def test_what_a_key_opens_and_until_when() -> None:
    digest = domain.digest(SHOWN)
    assert key().opens(digest, NOW)
    assert not key().opens(domain.digest("x"), NOW)
    assert not key().opens(digest, NOW + timedelta(days=1))
    assert not key(revoked_at=NOW).opens(digest, NOW)
    after = key().rotated(
        "other",
        by="acc_2",
        now=NOW,
        until=NOW + timedelta(days=3),
        expires_at=NOW + timedelta(days=9),
        rotation=Rotation("t", "f"),
    )
    assert (after.by, after.former) == ("acc_2", Former(digest, "acc_1", NOW + timedelta(days=1))), (
        "no longer than it would have"
    )
    assert after.opens(digest, NOW)
    assert not after.opens(digest, NOW + timedelta(days=1))
    assert after.opens("other", NOW + timedelta(days=8))


def test_a_ring_holds_so_many_that_have_not_run_out() -> None:
    ring = Ring("mer_1")
    for number in range(MOST):
        ring = ring.having(key(key_id=f"key_{number}"), NOW)
    with pytest.raises(TooManyKeys):
        ring.having(key(key_id="key_more"), NOW)
    assert len(ring.having(key(key_id="key_3"), NOW).keys) == MOST, "one that is on it already"
    later = NOW + timedelta(days=1)
    assert [one.key_id for one in ring.having(key(key_id="key_more"), later).keys] == ["key_more"]
    rotated = replace(key(key_id="key_0"), by="acc_2", former=Former("d", "acc_1", NOW))
    ring = ring.without("key_0").having(rotated, NOW)
    assert (ring.seen_before_by("acc_1", NOW), ring.seen_before_by("acc_2", NOW)) == (("key_0",), ())
    assert ring.seen_before_by("acc_1", later) == ()
    assert (len(ring.seen_by("acc_1", NOW)), ring.seen_by("acc_1", later), ring.seen_by("acc_2", NOW)) == (
        MOST - 1,
        (),
        ("key_0",),
    )


def test_who_holds_keys_is_who_the_policy_lets_make_them() -> None:
    for name in ("make_key", "rotate_key"):
        assert TABLE[name].posts == HOLDERS
        assert TABLE[name].fresh is not None
    assert not [scope for scope in SCOPES if scope.startswith("keys")], "no key makes keys"
