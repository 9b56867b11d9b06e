"""Adding and removing identities of QQ and WeChat: fresh proof, never another's, never the last way."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from uuid import uuid4

import pytest

from chalicelib.auth import store
from chalicelib.kernel import clock
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import dump, joining, people
from tests.support.elsewhere import Browser, by_mini, by_web, link_mini, links, offered
from tests.support.http import Answer, call
from tools.fakes.sign_in.stand_in import SignInHost

PASSWORD = "correct horse battery"


@pytest.fixture
def host(cloud: str) -> Iterator[SignInHost]:
    with offered() as found:
        yield found


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("code", "")


def registered() -> str:
    """Register by e-mail and sign in: an account that a password opens."""
    identity = f"{uuid4().hex[:10]}@example.com"
    body = {"identity": identity, "password": PASSWORD}
    assert joining.register(identity, PASSWORD).status == 201
    return str(call("POST", "/v1/auth/sign-in", body).json["access_token"])


def unlink(token: str, link_id: str) -> Answer:
    return call("DELETE", f"/v1/me/identities/{link_id}", token=token)


def test_an_identity_is_added_opens_the_account_and_is_removed(host: SignInHost) -> None:
    token = registered()
    account_id = call("GET", "/v1/me", token=token).json["account_id"]
    browser = Browser(host, token=token)
    added = browser.complete(browser.come_back("mei"))
    assert (added.status, added.json["provider"]) == (201, "qq"), added.body
    assert by_web(host, "mei").json["account_id"] == account_id
    listed = call("GET", "/v1/me/identities", token=token).json
    assert listed == {
        "items": [{"link_id": added.json["link_id"], "provider": "qq", "linked_at": added.json["linked_at"]}],
        "offered": ["qq", "qq_mini", "wechat_mini"],
    }
    assert unlink(token, added.json["link_id"]).status == 204
    assert code_of(unlink(token, added.json["link_id"])) == (404, "not_found")
    assert by_web(host, "mei").json["account_id"] != account_id, "it opens nothing any more: that is a new account"


def test_a_repeat_of_adding_gets_the_same_answer(host: SignInHost) -> None:
    token = registered()
    browser = Browser(host, token=token)
    back = browser.come_back("mei")
    first = browser.complete(back)
    before = dump.tables()
    again = browser.complete(back)
    assert (again.status, again.json) == (201, first.json)
    assert again.headers["idempotency-replayed"] == "true"
    assert dump.differences(before, dump.tables()) == []
    code = {"js_code": host.login("wechat_mini", "mei")["js_code"]}
    path = "/v1/me/identities/mini/wechat_mini"
    one, two = (call("POST", path, code, token=token) for _ in range(2))
    assert (one.status, two.status, one.json) == (201, 201, two.json)
    assert link_mini(host, token, "mei", "wechat_mini").json["link_id"] == one.json["link_id"], "there already: nothing"


def test_an_identity_of_another_account_stays_there(host: SignInHost) -> None:
    owner = by_web(host, "mei").json
    token = registered()
    browser = Browser(host, token=token)
    before = dump.tables("identities")
    assert code_of(browser.complete(browser.come_back("mei"))) == (409, "identity_elsewhere")
    assert code_of(link_mini(host, token, "mei")) == (409, "identity_elsewhere"), "the same person, by another app"
    assert dump.differences(before, dump.tables("identities")) == []
    assert by_web(host, "mei").json["account_id"] == owner["account_id"]


def test_equal_names_link_nothing(host: SignInHost) -> None:
    """A nickname that equals another account's, or an e-mail address: nothing but the identity counts."""
    token = registered()
    mine = call("PATCH", "/v1/me", {"nickname": "梅子"}, token=token).json["account_id"]
    assert by_web(host, "mei").json["account_id"] != mine


def test_adding_and_removing_take_a_fresh_proof(cloud: str, noon: clock.Fixed) -> None:
    with offered() as host:
        token = registered()
        link = link_mini(host, token, "mei").json["link_id"]
        old = people.token(call("GET", "/v1/me", token=token).json["account_id"], proved_ago=timedelta(minutes=11))
        begin = Browser(host, token=old).begin()
        before = dump.tables()
        for answer in (begin, link_mini(host, old, "li"), unlink(old, link)):
            assert code_of(answer) == (401, "fresh_proof_needed")
        assert dump.differences(before, dump.tables()) == []
        assert host.calls.count("qq_mini") == 1, "the platform is not asked either"
        assert links(old).keys() == {"qq_mini"}, "looking needs none"


def test_the_last_way_to_sign_in_stays(host: SignInHost) -> None:
    session = by_web(host, "mei").json
    token = session["access_token"]
    (only,) = links(token).values()
    before = dump.tables()
    assert code_of(unlink(token, only)) == (409, "last_way_to_sign_in")
    assert dump.differences(before, dump.tables()) == []
    second = link_mini(host, token, "mei").json["link_id"]
    assert unlink(token, only).status == 204
    assert code_of(unlink(token, second)) == (409, "last_way_to_sign_in")
    assert by_mini(host, "mei").json["account_id"] == session["account_id"]


def test_of_two_that_remove_the_last_two_at_once_one_stays(host: SignInHost) -> None:
    for number in range(4):
        person = f"racer-{number}"
        token = by_web(host, person).json["access_token"]
        link_mini(host, token, person)
        both = list(links(token).values())
        ready = Barrier(2)

        def remove(link_id: str, token: str = token, ready: Barrier = ready) -> int:
            ready.wait()
            return unlink(token, link_id).status

        with ThreadPoolExecutor(2) as pool:
            statuses = sorted(pool.map(remove, both))
        assert statuses == [204, 409]
        assert len(links(token)) == 1


def test_a_rival_between_read_and_write_cannot_take_the_last_way(
    host: SignInHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.auth import ways

    token = by_web(host, "mei").json["access_token"]
    link_mini(host, token, "mei")
    found = links(token)
    original, rivals = ways.of, [lambda: unlink(token, found["qq"])]

    def judged(account: object) -> object:
        if rivals:
            assert rivals.pop()().status == 204
        return original(account)  # type: ignore[arg-type]

    monkeypatch.setattr(ways, "of", judged)
    assert code_of(unlink(token, found["qq_mini"])) == (409, "last_way_to_sign_in")
    assert links(token).keys() == {"qq_mini"}


def test_two_accounts_that_add_one_identity_at_once(host: SignInHost) -> None:
    for number in range(3):
        tokens = [registered(), registered()]
        codes = [host.login("wechat_mini", f"twin-{number}")["js_code"] for _ in tokens]

        def add(pair: tuple[str, str]) -> int:
            return call("POST", "/v1/me/identities/mini/wechat_mini", {"js_code": pair[1]}, token=pair[0]).status

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(add, zip(tokens, codes, strict=True))) == [201, 409]


def test_signing_in_and_adding_the_same_person_at_once_make_one_owner(host: SignInHost) -> None:
    for number in range(3):
        person, token = f"both-{number}", registered()
        mine = call("GET", "/v1/me", token=token).json["account_id"]
        with ThreadPoolExecutor(2) as pool:
            signing, adding = pool.submit(by_mini, host, person), pool.submit(link_mini, host, token, person)
        signed, added = signing.result(), adding.result()
        owner = by_mini(host, person).json["account_id"]
        assert (owner == mine) is (added.status == 201)
        assert (signed.status, added.status) in ((200, 201), (200, 409))
        assert signed.json["account_id"] == owner


def test_an_account_holds_twenty(host: SignInHost) -> None:
    token = registered()
    statuses = [link_mini(host, token, f"p{number}").status for number in range(21)]
    assert statuses == [201] * 20 + [409]


def test_what_was_removed_can_be_added_elsewhere(host: SignInHost) -> None:
    one, other = registered(), registered()
    link = link_mini(host, one, "mei").json["link_id"]
    assert link_mini(host, other, "mei").status == 409
    assert unlink(one, link).status == 204
    assert link_mini(host, other, "mei").status == 201


def test_a_unionid_that_two_identities_share_stays_until_both_are_gone(host: SignInHost) -> None:
    one, other = registered(), registered()
    browser = Browser(host, token=one)
    web = browser.complete(browser.come_back("mei")).json["link_id"]
    mini = link_mini(host, one, "mei").json["link_id"]
    assert unlink(one, web).status == 204
    theirs = Browser(host, token=other)
    assert code_of(theirs.complete(theirs.come_back("mei"))) == (409, "identity_elsewhere")
    assert unlink(one, mini).status == 204
    assert theirs.complete(theirs.come_back("mei")).status == 201


def test_an_account_of_before_has_no_identities(host: SignInHost) -> None:
    """A row that was written before there were any lacks the attribute."""
    account = people.buyer()
    row = store.account_row(store.load_account(account.account_id, consistent=True))  # type: ignore[arg-type]
    assert "links" not in row.serialize()
    assert links(account.token) == {}
    assert link_mini(host, account.token, "mei").status == 201


# --- proving once more ------------------------------------------------------------------------------------------


def test_who_signs_in_by_qq_alone_proves_it_by_qq(cloud: str, noon: clock.Fixed) -> None:
    with offered() as host:
        session = by_web(host, "mei").json
        noon.advance(timedelta(minutes=11))
        token = call("POST", "/v1/auth/refresh", {"refresh_token": session["refresh_token"]}).json["access_token"]
        refused = Browser(host, token=token).begin()
        assert code_of(refused) == (401, "fresh_proof_needed")
        assert refused.json["methods"] == ["qq"], "the last word of the route that takes it"
        browser = Browser(host, token=token, proves=True)
        proved = browser.complete(browser.come_back("mei"))
        assert proved.status == 200, proved.body
        fresh = proved.json["access_token"]
        assert link_mini(host, fresh, "mei").status == 201
        noon.advance(timedelta(minutes=11))
        token = call("POST", "/v1/auth/refresh", {"refresh_token": session["refresh_token"]}).status
        assert token == 401, "used up above"


def test_a_mini_programs_code_proves_it_too(host: SignInHost) -> None:
    token = by_mini(host, "mei").json["access_token"]
    body = {"js_code": host.login("qq_mini", "mei")["js_code"]}
    proved = call("POST", "/v1/auth/prove/qq_mini", body, token=token)
    assert proved.status == 200, proved.body
    assert links(proved.json["access_token"]).keys() == {"qq_mini"}


def test_somebody_else_proves_nothing(host: SignInHost) -> None:
    token, other = by_web(host, "mei").json["access_token"], by_web(host, "li").json["access_token"]
    browser = Browser(host, token=token, proves=True)
    assert code_of(browser.complete(browser.come_back("li"))) == (403, "wrong_proof")
    body = {"js_code": host.login("qq_mini", "mei")["js_code"]}
    assert code_of(call("POST", "/v1/auth/prove/qq_mini", body, token=token)) == (403, "wrong_proof"), "not added"
    back = browser.come_back("mei")
    signing = Browser(host, verifier=browser.verifier)
    assert code_of(signing.complete(back)) == (422, "sign_in_over"), "what was begun to prove signs nobody in"
    theirs = Browser(host, token=other, proves=True, verifier=browser.verifier)
    assert code_of(theirs.complete(back)) == (422, "sign_in_over"), "nor proves another account's"
    adding = Browser(host, token=token, verifier=browser.verifier)
    assert code_of(adding.complete(back)) == (422, "sign_in_over"), "nor adds"
    assert browser.complete(back).status == 200


# --- who registered somebody else's address ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["sign-in/code", "password/reset"])
def test_an_identity_that_a_stranger_added_does_not_wait_for_the_owner(
    host: SignInHost, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Whoever registered an address that is not theirs, and added their own QQ, is out when its owner comes."""
    monkeypatch.setenv("BIANDAN_REGISTRATION", "open")
    contact, words = "victim@example.com", {"identity": "victim@example.com", "password": PASSWORD}
    assert call("POST", "/v1/auth/register", words).status == 201
    stranger = call("POST", "/v1/auth/sign-in", words).json["access_token"]
    assert link_mini(host, stranger, "stranger").status == 201
    if how == "sign-in/code":
        body = {"contact": contact, "create": False, **joining.proof(contact, "sign_in")}
        owner = call("POST", "/v1/auth/sign-in/code", body).json["access_token"]
    else:
        body = {"contact": contact, "password": "another horse battery", **joining.proof(contact, "reset")}
        assert call("POST", "/v1/auth/password/reset", body).status == 204
        words["password"] = "another horse battery"
        owner = call("POST", "/v1/auth/sign-in", words).json["access_token"]
    assert code_of(by_mini(host, "stranger")) == (422, "sign_in_code_refused")
    assert links(owner) == {}
    assert link_mini(host, registered(), "stranger").status == 409, "nor does it open another one"
    assert link_mini(host, owner, "owner").status == 201
    assert by_mini(host, "owner").status == 200


def test_codes_are_a_way_to_sign_in_too(host: SignInHost) -> None:
    """Who has a verified contact may remove every identity: a code opens the account."""
    body = {"contact": "code@example.com", "create": True, **joining.proof("code@example.com", "sign_in")}
    token = call("POST", "/v1/auth/sign-in/code", body).json["access_token"]
    assert unlink(token, link_mini(host, token, "mei").json["link_id"]).status == 204


def test_a_second_factor_is_not_gone_around_by_qq(host: SignInHost) -> None:
    """Who has one gets no session by QQ alone, and proves nothing freshly by it."""
    session = by_mini(host, "mei").json
    account = store.load_account(session["account_id"], consistent=True)
    assert account is not None
    with UnitOfWork() as work:
        work.save(store.account_row(replace(account, second_factor="totp")))
    before = dump.tables("identities")
    refused = by_mini(host, "mei")
    assert (refused.status, "access_token" in refused.body) == (401, False)
    assert refused.json["methods"] == ["totp", "recovery_code"]
    assert "+ sessions" not in "".join(dump.differences(before, dump.tables("identities"))), (
        "no session, no half of one"
    )
    asked = host.calls.count("qq_mini")
    body = {"js_code": host.login("qq_mini", "mei")["js_code"]}
    proving = call("POST", "/v1/auth/prove/qq_mini", body, token=session["access_token"])
    assert (proving.status, proving.json["methods"]) == (401, ["totp"])
    assert host.calls.count("qq_mini") == asked
