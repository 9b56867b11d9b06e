"""Signing in by QQ and WeChat: the way through, and every state, code and person that does not belong together."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.auth import domain as auth_domain
from chalicelib.kernel import clock
from chalicelib.runtime import log, metrics
from tests.support import dump, facts_told, people
from tests.support.elsewhere import PAGE, Browser, by_mini, by_web, link_mini, links, offered
from tests.support.http import Answer, call
from tools.fakes.sign_in import persons
from tools.fakes.sign_in.stand_in import SignInHost


@pytest.fixture
def host(cloud: str) -> Iterator[SignInHost]:
    with offered() as found:
        yield found


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("code", "")


# --- the way through --------------------------------------------------------------------------------------------


def test_a_person_signs_in_with_qq_and_is_the_same_one_the_next_time(host: SignInHost) -> None:
    with facts_told.listening() as told:
        browser = Browser(host)
        begun = browser.begin()
        assert (begun.status, begun.json["expires_in"], begun.headers["cache-control"]) == (200, 600, "no-store")
        assert browser.url.startswith("https://graph.qq.com/oauth2.0/authorize?response_type=code&client_id=101010101&")
        assert browser.asked() == {
            "response_type": "code",
            "client_id": "101010101",
            "redirect_uri": PAGE,
            "state": begun.json["state"],
            "scope": "get_user_info",
        }
        first = browser.complete(browser.decided("mei"))
        assert first.status == 200, first.body
        assert [envelope.type for envelope in told] == ["account.registered"]
        again = by_web(host, "mei")
    assert (again.status, again.json["account_id"]) == (200, first.json["account_id"])
    assert again.json["session_id"] != first.json["session_id"]
    me = call("GET", "/v1/me", token=again.json["access_token"]).json
    assert (me["nickname"], "email" in me, "phone" in me, me["roles"]) == ("梅子", False, False, ["buyer"])
    assert call("POST", "/v1/auth/refresh", {"refresh_token": first.json["refresh_token"]}).status == 200
    assert host.calls == ["token", "me", "user", "token", "me"], "the profile is asked for where an account is made"
    assert host.refusals == []


def test_a_small_screen_gets_the_small_page(host: SignInHost) -> None:
    browser = Browser(host)
    browser.begin(small=True)
    assert browser.asked()["display"] == "mobile"


@pytest.mark.parametrize("provider", ["qq_mini", "wechat_mini"])
def test_a_mini_program_signs_in(host: SignInHost, provider: str) -> None:
    first = by_mini(host, "li", provider)
    again = by_mini(host, "li", provider)
    assert (first.status, again.status) == (200, 200), first.body
    assert first.json["account_id"] == again.json["account_id"]
    assert links(again.json["access_token"]).keys() == {provider}
    other = by_mini(host, "mei", provider)
    assert other.json["account_id"] != first.json["account_id"]
    # Who pays is named to the mini program, which cannot learn it otherwise, and kept nowhere.
    named = [answer.json["payer"] for answer in (first, again, other)]
    assert named[0] == named[1] != named[2]
    assert named[0] not in str(dump.tables())


def test_beginning_writes_nothing(host: SignInHost) -> None:
    before = dump.tables()
    assert Browser(host).begin().status == 200
    assert dump.differences(before, dump.tables()) == []


def test_nothing_readable_of_the_person_elsewhere_is_kept(host: SignInHost) -> None:
    session = by_web(host, "mei").json
    code = host.login("qq_mini", "li")
    assert call("POST", "/v1/auth/mini/qq_mini/sign-in", {"js_code": code["js_code"]}).status == 200
    stored = json.dumps(dump.tables(), ensure_ascii=False, default=str)
    for provider, person in (("qq", "mei"), ("qq_mini", "li")):
        assert persons.openid(provider, host.apps[provider].appid, person) not in stored
        assert persons.unionid(provider, person) not in stored
    assert host._keys["qq_mini", "li"] not in stored
    assert session["access_token"] not in stored


def test_no_log_line_holds_an_address_a_code_a_key_or_a_name(host: SignInHost, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    handler = log._prepare().handlers[0]
    monkeypatch.setattr(handler, "emit", lambda record: lines.append(handler.format(record)))
    root = logging.getLogger()
    heard = logging.Handler(0)
    monkeypatch.setattr(heard, "emit", lambda record: lines.append(record.getMessage()))
    monkeypatch.setattr(root, "level", 0)
    root.addHandler(heard)
    try:
        browser = Browser(host)
        back = browser.come_back("mei")
        assert browser.complete(back).status == 200
        assert browser.complete(back).status == 422
        for step, shape in (("me", "json_error"), ("token", "html"), ("user", "ret_msg"), ("me", "foreign")):
            host.steer(step, shape, 1)
            by_web(host, "sam")
        mini = host.login("qq_mini", "li")
        call("POST", "/v1/auth/mini/qq_mini/sign-in", {"js_code": mini["js_code"]})
        host.steer("wechat_mini", "silent", 1)
        by_mini(host, "li", "wechat_mini")
    finally:
        root.removeHandler(heard)
    assert len(lines) > 8
    said = "\n".join(lines)
    secret = [
        *(app.secret for app in host.apps.values()),
        *host._tokens,
        *host._codes,
        back["state"],
        browser.verifier,
        persons.openid("qq", host.apps["qq"].appid, "mei"),
        persons.unionid("qq", "mei"),
        host._keys["qq_mini", "li"],
        "梅子",
        "client_secret",
    ]
    assert [word for word in secret if word in said] == []


# --- states -----------------------------------------------------------------------------------------------------


def test_a_state_has_128_random_bits_and_never_comes_twice(host: SignInHost) -> None:
    browser = Browser(host)
    found = {browser.begin().json["state"] for _ in range(50)}
    assert len(found) == 50
    assert {len(state) for state in found} == {48}


def test_a_state_counts_once(host: SignInHost) -> None:
    browser = Browser(host)
    back = browser.come_back("mei")
    assert browser.complete(back).status == 200
    assert code_of(browser.complete(back)) == (422, "sign_in_over")
    fresh = host.decide(browser.asked(), "mei").partition("code=")[2].partition("&")[0]
    assert code_of(browser.complete({**back, "code": fresh})) == (422, "sign_in_over")


def test_one_of_many_that_show_one_state_at_once_gets_in(host: SignInHost) -> None:
    browser = Browser(host)
    browser.begin()
    backs = [browser.decided("mei") for _ in range(6)]  # Six codes that are all good.
    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(lambda back: browser.complete(back).status, backs))
    assert statuses == [200, 422, 422, 422, 422, 422]


def test_first_sign_ins_of_one_person_at_once_make_one_account(host: SignInHost) -> None:
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: by_web(host, "mei"), range(5)))
    assert [answer.status for answer in answers] == [200] * 5, answers
    assert len({answer.json["account_id"] for answer in answers}) == 1


def test_a_state_counts_for_ten_minutes(cloud: str, noon: clock.Fixed) -> None:
    with offered() as host:
        browser = Browser(host)
        browser.begin()
        noon.advance(timedelta(seconds=599))
        assert browser.complete(browser.decided("mei")).status == 200
        browser.begin()
        noon.advance(timedelta(seconds=600))
        assert code_of(browser.complete(browser.decided("mei"))) == (422, "sign_in_over")


def test_a_state_that_was_stolen_opens_nothing_without_its_verifier(host: SignInHost) -> None:
    victim, thief = Browser(host), Browser(host)
    back = victim.come_back("mei")
    assert code_of(thief.complete(back)) == (422, "sign_in_over")
    assert victim.complete(back).status == 200, "and the victim gets in all the same"


def test_states_are_not_mixed_up(host: SignInHost) -> None:
    """A state of another browser, page, purpose or account is refused, each with a good code."""
    one, other = Browser(host), Browser(host)
    mine, theirs = one.come_back("mei"), other.come_back("li")
    assert code_of(one.complete({**mine, "state": theirs["state"]})) == (422, "sign_in_over")
    page = one.complete(mine, return_url=PAGE + "/")
    assert code_of(page) == (422, "sign_in_over")
    ada, bob = people.buyer(), people.buyer()
    adding = Browser(host, token=ada.token)
    back = adding.come_back("sam")
    adding.token = None
    assert code_of(adding.complete(back)) == (422, "sign_in_over"), "what was begun to add signs nobody in"
    adding.token = bob.token
    assert code_of(adding.complete(back)) == (422, "sign_in_over"), "nor adds to another account"
    adding.token = ada.token
    assert adding.complete(back).status == 201
    signing = Browser(host)
    back = signing.come_back("tom")
    signing.token = ada.token
    assert code_of(signing.complete(back)) == (422, "sign_in_over"), "what was begun to sign in adds nothing"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state[:-1] + ("A" if state[-1] != "A" else "B"),
        lambda state: ("A" if state[0] != "A" else "B") + state[1:],
        lambda state: state + "=",
        lambda state: state[:-4],
        lambda state: state + state,
        lambda state: "." + state,
        lambda _: "x",
        lambda _: "\u00e9" if False else "%00",
    ],
)
def test_an_invented_state_is_refused_like_a_used_one(host: SignInHost, spoil: Any) -> None:
    browser = Browser(host)
    back = browser.come_back("mei")
    before = dump.tables("identities")
    refused = browser.complete({**back, "state": spoil(back["state"])})
    assert code_of(refused) == (422, "sign_in_over")
    assert dump.differences(before, dump.tables("identities")) == [], "and nothing but the count of failures is written"
    assert browser.complete(back).status == 200


def test_who_says_no_is_told_so_once(host: SignInHost) -> None:
    browser = Browser(host)
    back = browser.come_back(None)
    assert set(back) == {"usercancel", "state"}
    assert code_of(browser.complete(back)) == (422, "sign_in_cancelled")
    assert code_of(browser.complete(back)) == (422, "sign_in_over")
    assert host.calls == [], "the platform is not asked"


# --- codes and pages --------------------------------------------------------------------------------------------


def test_a_code_counts_once_in_time_and_for_its_page(cloud: str, noon: clock.Fixed) -> None:
    with offered() as host:
        one, other = Browser(host), Browser(host)
        back = one.come_back("mei")
        assert one.complete(back).status == 200
        other.begin()
        stolen = {"code": back["code"], "state": other.asked()["state"]}
        assert code_of(other.complete(stolen)) == (422, "sign_in_code_refused"), "used"
        other.begin()
        late = other.decided("mei")["code"]
        noon.advance(timedelta(minutes=11))
        other.begin()
        assert code_of(other.complete({"code": late, "state": other.asked()["state"]})) == (422, "sign_in_code_refused")
        other.begin()
        elsewhere = host.decide({**other.asked(), "redirect_uri": PAGE + "/other"}, "li")
        code = elsewhere.partition("code=")[2].partition("&")[0]
        refused = other.complete({"code": code, "state": other.asked()["state"]})
        assert code_of(refused) == (422, "sign_in_code_refused"), "given for another page"


@pytest.mark.parametrize("provider", ["qq_mini", "wechat_mini"])
def test_a_mini_programs_code_counts_once_and_for_its_platform(host: SignInHost, provider: str) -> None:
    code = host.login(provider, "li")["js_code"]
    path = f"/v1/auth/mini/{provider}/sign-in"
    assert call("POST", path, {"js_code": code}).status == 200
    assert code_of(call("POST", path, {"js_code": code})) == (422, "sign_in_code_refused")
    assert code_of(call("POST", path, {"js_code": "invented"})) == (422, "sign_in_code_refused")
    other = {"qq_mini": "wechat_mini", "wechat_mini": "qq_mini"}[provider]
    foreign = host.login(other, "li")["js_code"]
    assert code_of(call("POST", path, {"js_code": foreign})) == (422, "sign_in_code_refused")


def test_a_token_of_another_app_signs_nobody_in(host: SignInHost) -> None:
    host.steer("me", "foreign")
    before = dump.tables("identities")
    counted: list[str] = []
    patch = pytest.MonkeyPatch()
    patch.setattr(metrics, "count", lambda name, *_: counted.append(name))
    try:
        assert code_of(by_web(host, "mei")) == (422, "sign_in_code_refused")
    finally:
        patch.undo()
    assert "foreign_sign_in_tokens" in counted
    assert dump.differences(before, dump.tables("identities")) == []


@pytest.mark.parametrize(
    "page",
    [
        "https://shop.example/other",
        "https://shop.example/signed-in/",
        "https://shop.example.evil.example/signed-in",
        "https://shop.example/signed-in?next=//evil.example",
        "http://shop.example/signed-in",
        "javascript:alert(1)//",
        "//shop.example/signed-in",
        "http://127.0.0.1.evil.example/",
        "http://evil.example@127.0.0.1/",
    ],
)
def test_sign_in_returns_to_named_pages_only(host: SignInHost, page: str) -> None:
    assert code_of(Browser(host, page=page).begin()) == (422, "return_not_allowed")


def test_on_a_laptop_it_returns_to_the_same_machine_too(host: SignInHost, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Browser(host, page="http://127.0.0.1:5173/signed-in").begin().status == 200
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "biandan-dev-api")
    from chalicelib.auth.external import states

    assert not states.may_return("http://127.0.0.1:5173/signed-in")


def test_what_is_not_offered_is_not_there(host: SignInHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_SIGN_IN", "wechat_mini")
    assert code_of(Browser(host).begin()) == (404, "sign_in_not_offered")
    assert code_of(by_mini(host, "li")) == (404, "sign_in_not_offered")
    assert by_mini(host, "li", "wechat_mini").status == 200
    for path, body in (
        ("/v1/auth/web/wechat_mini/begin", {"return_url": PAGE, "challenge": "A" * 43}),
        ("/v1/auth/mini/qq/sign-in", {"js_code": "x"}),
        ("/v1/auth/mini/__init__/sign-in", {"js_code": "x"}),
        ("/v1/auth/mini/_shared/sign-in", {"js_code": "x"}),
    ):
        assert code_of(call("POST", path, body)) == (404, "sign_in_not_offered"), path


@pytest.mark.parametrize(
    "changes",
    [
        {"verifier": "short"},
        {"verifier": "x" * 129},
        {"code": None},
        {"usercancel": "1"},
        {"code": "with space"},
        {"code": "x" * 513},
        {"state": ""},
        {"openid": "mine"},
    ],
)
def test_bad_completions_leave_no_trace(host: SignInHost, changes: dict[str, Any]) -> None:
    browser = Browser(host)
    back = browser.come_back("mei")
    before = dump.tables()
    assert code_of(browser.complete(back, **changes)) == (422, "invalid_request")
    assert dump.differences(before, dump.tables()) == []
    assert browser.complete(back).status == 200


def test_a_network_from_which_much_is_refused_waits_and_a_known_device_does_not(
    cloud: str, noon: clock.Fixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.auth.external import service

    monkeypatch.setattr(service, "REFUSED_ELSEWHERE", auth_domain.Limit("r", attempts=3, window_s=600))
    with offered() as host:
        device = by_mini(host, "li").json["device_token"]
        for _ in range(3):
            assert call("POST", "/v1/auth/mini/qq_mini/sign-in", {"js_code": "no"}).status == 422
        asked = len(host.calls)
        throttled = by_mini(host, "mei")
        assert (throttled.status, throttled.json["code"], len(host.calls)) == (429, "too_many_requests", asked)
        assert by_mini(host, "li", device_token=device).status == 200, "its owner gets in"
        noon.advance(timedelta(minutes=10))
        assert by_mini(host, "mei").status == 200


# --- one person, two apps ---------------------------------------------------------------------------------------


def test_the_same_person_by_another_app_gets_no_account_opened(host: SignInHost) -> None:
    """The unionid says that it is the same person; it takes the account's own proof too to add the second app."""
    qq = by_web(host, "mei").json
    known = by_mini(host, "mei")
    assert code_of(known) == (409, "person_known")
    proof = known.json["proof"]
    assert persons.openid("qq_mini", host.apps["qq_mini"].appid, "mei") not in known.body
    added = call("POST", "/v1/me/identities/proof", {"proof": proof}, token=qq["access_token"])
    assert added.status == 201, added.body
    assert by_mini(host, "mei").json["account_id"] == qq["account_id"]
    assert links(qq["access_token"]).keys() == {"qq", "qq_mini"}
    assert code_of(call("POST", "/v1/auth/apart", {"proof": proof})) == (422, "sign_in_over"), "it counts once"


def test_who_wants_an_account_of_its_own_gets_one(host: SignInHost) -> None:
    qq = by_web(host, "mei").json
    proof = by_mini(host, "mei").json["proof"]
    apart = call("POST", "/v1/auth/apart", {"proof": proof})
    assert apart.status == 200, apart.body
    assert apart.json["account_id"] != qq["account_id"]
    assert by_mini(host, "mei").json["account_id"] == apart.json["account_id"]
    assert by_web(host, "mei").json["account_id"] == qq["account_id"]
    assert code_of(call("POST", "/v1/auth/apart", {"proof": proof})) == (422, "sign_in_over")


def respelled(proof: str) -> list[str]:
    """Return other texts that a lenient reader of base64 takes for the same bytes."""

    def read(text: str) -> bytes:
        return base64.urlsafe_b64decode(text[5:] + "=" * (-len(text[5:]) % 4))

    others = [proof[:-1] + last for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    return [one for one in others if one != proof and len(proof[5:]) % 4 and read(one) == read(proof)]


def test_a_proof_runs_out_and_cannot_be_invented(cloud: str, noon: clock.Fixed) -> None:
    with offered() as host:
        by_web(host, "mei")
        proof = by_mini(host, "mei").json["proof"]
        other_spellings = [proof + "=", proof + "==", *respelled(proof)]
        for spoilt in (proof[:-9] + proof[-8:], proof[5:], "bdx1." + "A" * 80, *other_spellings):
            assert code_of(call("POST", "/v1/auth/apart", {"proof": spoilt})) == (422, "sign_in_over")
        noon.advance(timedelta(minutes=10))
        assert code_of(call("POST", "/v1/auth/apart", {"proof": proof})) == (422, "sign_in_over")


def test_an_app_that_may_not_learn_unionids_goes_by_its_openids(host: SignInHost) -> None:
    host.steer("me", "no_unionid")
    qq = by_web(host, "mei").json
    assert by_web(host, "mei").json["account_id"] == qq["account_id"]
    mini = by_mini(host, "mei")
    assert (mini.status, mini.json["account_id"] != qq["account_id"]) == (200, True), "nobody knows that they are one"
    host.steer("me", "normal")
    assert by_web(host, "mei").json["account_id"] == qq["account_id"], "and they stay apart"


def test_a_unionid_that_is_told_later_is_remembered(host: SignInHost) -> None:
    host.steer("me", "no_unionid")
    qq = by_web(host, "mei").json
    host.steer("me", "normal")
    assert by_web(host, "mei").json["account_id"] == qq["account_id"]
    assert code_of(by_mini(host, "mei")) == (409, "person_known")


def test_platforms_do_not_mix(host: SignInHost) -> None:
    qq, wechat = by_mini(host, "mei", "qq_mini").json, by_mini(host, "mei", "wechat_mini").json
    assert qq["account_id"] != wechat["account_id"]
    assert link_mini(host, qq["access_token"], "tom", "wechat_mini").status == 201
