"""Who says they are under 14 buys nothing and keeps no profile until a guardian agrees, and the guardian ends it."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.auth import service as auth
from chalicelib.auth import store
from chalicelib.auth.guardians import domain
from chalicelib.consents import service as consents
from chalicelib.consents.service import Source
from chalicelib.privacy import service as privacy
from chalicelib.privacy.service import Status
from tests.support import dump, goods, joining, people
from tests.support.http import Answer, call

GUARDIAN, STRANGER = "guardian@example.com", "stranger@example.com"
RULES = "b928ab16e5e0c5b1cd0ff6d502f4771e"
ADDRESS = {
    "recipient": "小明",
    "phone": "13800138000",
    "province": "浙江省",
    "city": "杭州市",
    "district": "西湖区",
    "street": "文三路 1 号",
}


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["code"]


@pytest.fixture
def child(cloud: str, noon: Any) -> people.Person:
    found = people.buyer()
    people.session(found)
    assert call("POST", "/v1/me/addresses", ADDRESS, token=found.token).status == 201
    assert call("PATCH", "/v1/me", {"nickname": "小明"}, token=found.token).status == 200
    consents.give(found.account_id, consents.PERSONALISATION, version=1, source=Source.SIGN_UP)
    said = call("PUT", "/v1/me/age", {"age": "under_14"}, token=found.token)
    assert (said.status, said.json["guardian_needed"]) == (200, True)
    return found


Shown = dict[str, str]


def agree(child: people.Person, contact: str = GUARDIAN, *, version: int = 1, shown: Shown | None = None) -> Answer:
    shown = shown or joining.proof(contact, "guardian")
    body = {"contact": contact, **shown, "rules_version": version}
    return call("PUT", "/v1/me/guardian", body, token=child.token)


def as_guardian(
    path: str, child: people.Person, contact: str = GUARDIAN, shown: Shown | None = None, **more: str
) -> Answer:
    shown = shown or joining.proof(contact, "guardian")
    body = {"account_id": child.account_id, "contact": contact, **shown, **more}
    return call("POST", f"/v1/guardians/{path}", body)


def held_back(child: people.Person, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Say whether nothing can be bought or kept; what is neither is a fault."""
    made = goods.product(people.merchant().merchant_id, price_minor=100)
    asked = {"address_id": "adr_" + "0" * 24, "lines": [{"sku_id": made.sku_id, "quantity": 1}]}
    tries = [
        call("POST", "/v1/me/addresses", ADDRESS, token=child.token),
        call("PATCH", "/v1/me", {"nickname": "小红"}, token=child.token),
        call("POST", "/v1/quotes", asked, token=child.token),
    ]
    with monkeypatch.context() as patched:
        patched.setenv("BIANDAN_VERIFIED_PHONE", "on")
        try:
            auth.may_order(child.account_id).read()
            refused = False
        except auth.GuardianNeeded:
            refused = True
        except auth.VerifiedPhoneNeeded:
            refused = False
    found = {answer.status == 409 and answer.json["code"] == "guardian_needed" for answer in tries} | {refused}
    assert len(found) == 1, [answer.body for answer in tries]
    return found.pop()


def test_a_child_without_a_guardian_buys_nothing_and_keeps_no_profile(
    child: people.Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.categories()
    account = store.load_account(child.account_id)
    assert account is not None
    assert (account.nickname, auth.addresses(child.account_id).addresses) == (None, ())
    assert not privacy.may(child.account_id, consents.PERSONALISATION)
    assert held_back(child, monkeypatch)
    given = call("PUT", "/v1/me/consents/personalisation", {"version": 1}, token=child.token)
    assert told(given) == (409, "not_for_children")
    assert told(call("PUT", "/v1/me/age", {"age": "adult"}, token=child.token)) == (409, "guardian_needed")
    assert call("PATCH", "/v1/me", {"language": "en"}, token=child.token).status == 200  # That names nobody.

    agreed = agree(child)
    assert (agreed.status, agreed.json["guardian_needed"], agreed.json["rules_version"]) == (200, False, 1)
    assert not held_back(child, monkeypatch)
    given = call("PUT", "/v1/me/consents/personalisation", {"version": 1}, token=child.token)
    assert told(given) == (409, "not_for_children")  # A guardian agrees to orders, not to that.

    assert as_guardian("withdrawal", child).status == 204
    assert held_back(child, monkeypatch)
    account = store.load_account(child.account_id)
    assert account is not None
    assert (account.nickname, auth.addresses(child.account_id).addresses) == (None, ())


def test_consent_takes_the_code_that_the_guardian_read_for_that_and_the_rules_of_today(child: people.Person) -> None:
    other = joining.proof(GUARDIAN, "register")
    before = dump.tables("identities", "messages")
    shown = joining.proof(GUARDIAN, "guardian")
    assert told(agree(child, shown=other)) == (403, "bad_code")
    assert told(agree(child, shown={**shown, "code": f"{(int(shown['code']) + 1) % 10**6:06d}"})) == (403, "bad_code")
    assert told(agree(child, version=2, shown=shown)) == (409, "guardian_rules_changed")
    grown = people.buyer()
    people.session(grown)
    assert told(agree(grown, shown=shown)) == (403, "not_their_guardian")
    assert {row for row in dump.tables()["accounts"] if grown.account_id not in row} == set(before["accounts"])
    assert agree(child, shown=shown).status == 200
    assert told(agree(child, shown=shown)) == (403, "bad_code")  # Once.


def test_a_child_is_not_their_own_guardian(cloud: str, noon: Any) -> None:
    joining.register(STRANGER, "correct horse battery")
    token = call("POST", "/v1/auth/sign-in", {"identity": STRANGER, "password": "correct horse battery"}).json
    child = people.Person(token["account_id"], token["access_token"])
    call("PUT", "/v1/me/age", {"age": "under_14"}, token=child.token)
    assert told(agree(child, STRANGER)) == (409, "own_guardian")


def test_only_who_agreed_ends_it_and_nobody_learns_which_children_there_are(child: people.Person) -> None:
    agree(child)
    nobody, strange, mine = (
        people.Person("acc_" + "0" * 26, ""),
        joining.proof(STRANGER, "guardian"),
        joining.proof(GUARDIAN, "guardian"),
    )
    says: list[tuple[str, Shown]] = [("withdrawal", {}), ("erasure", {}), ("age", {"age": "adult"})]
    for path, more in says:
        for whose in (child, nobody):
            assert told(as_guardian(path, whose, STRANGER, strange, **more)) == (403, "not_their_guardian")
        assert told(as_guardian(path, people.buyer(), GUARDIAN, mine, **more)) == (403, "not_their_guardian")
    account = store.load_account(child.account_id)
    assert account is not None
    assert account.guarded_at is not None


def test_a_guardian_has_it_all_deleted_and_the_child_cannot_take_that_back(child: people.Person) -> None:
    agree(child)
    asked = as_guardian("erasure", child)
    assert (asked.status, asked.json["status"]) == (200, "closing")
    assert privacy.erasure(child.account_id).status is Status.CLOSING
    account = store.load_account(child.account_id)
    assert account is not None
    assert (account.age, account.guardian, account.guarded_at, account.nickname) == ("", "", None, None)
    back = people.Person(child.account_id, people.token(child.account_id))
    people.session(back)
    assert told(call("DELETE", "/v1/me/erasure", token=back.token)) == (409, "illegal_transition")


def test_who_grows_up_is_let_go_by_their_guardian(child: people.Person, monkeypatch: pytest.MonkeyPatch) -> None:
    goods.categories()
    agree(child)
    grown = as_guardian("age", child, age="from_14_to_17")
    assert (grown.status, grown.json) == (200, {"age": "from_14_to_17", "guardian_needed": False})
    account = store.load_account(child.account_id)
    assert account is not None
    assert account.guardian == ""  # Of no use any more.
    given = call("PUT", "/v1/me/consents/personalisation", {"version": 1}, token=child.token)
    assert given.status == 200
    assert call("PUT", "/v1/me/age", {"age": "adult"}, token=child.token).status == 200


def test_no_birthday_is_asked_for_and_who_says_nothing_is_not_held_back(cloud: str, noon: Any) -> None:
    person = people.buyer()
    people.session(person)
    assert call("GET", "/v1/me/age", token=person.token).json == {"guardian_needed": False}
    for wrong in ({"age": "12"}, {"age": "adult", "birthday": "2000-01-01"}, {"birth_year": 2015}, {}):
        assert call("PUT", "/v1/me/age", wrong, token=person.token).status == 422
    assert {one.value for one in domain.Age} == {"under_14", "from_14_to_17", "adult"}


def test_the_rules_are_apart_in_both_languages_and_never_change_unnoticed(cloud: str, noon: Any) -> None:
    zh, en = (call("GET", "/v1/minors/rules", headers={"accept-language": one}).json for one in ("zh", "en"))
    assert (zh["version"], zh["title"], len(zh["rules"])) == (1, "儿童个人信息保护规则", len(en["rules"]))
    assert zh["digest"] == domain.RULES_DIGEST == RULES, "other words are another version"
