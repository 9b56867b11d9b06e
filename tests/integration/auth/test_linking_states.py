"""Signing in, adding and removing identities in every order: who opens which account is what a small model says."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from chalicelib.auth import store
from chalicelib.auth.external.people import identity_of
from tests.support import people
from tests.support.elsewhere import SETTINGS, Browser, by_mini, by_web, link_mini, offered
from tests.support.http import Answer, call
from tools.fakes.sign_in import persons
from tools.fakes.sign_in.stand_in import SignInHost

PERSONS, PROVIDERS = ("ann", "ben"), ("qq", "qq_mini", "wechat_mini")
Key = tuple[str, str]
"""A provider, or a platform, and a person of it."""


class Model:
    """Who opens which account, and which account each person is known to be by a unionid."""

    def __init__(self) -> None:
        self.owner: dict[Key, str] = {}
        self.union: dict[Key, str] = {}
        self.told: set[Key] = set()
        """Identities by which their account knows the unionid."""

    def signs_in(self, provider: str, person: str) -> str:
        """Return what is answered: an account, ``new`` or ``known``."""
        one, same = (provider, person), (persons.PLATFORMS[provider], person)
        if one in self.owner:
            if same not in self.union:
                self._know(one, same, self.owner[one])
            return self.owner[one]
        return "known" if same in self.union else "new"

    def made(self, provider: str, person: str, account: str) -> None:
        """Note a new account."""
        one, same = (provider, person), (persons.PLATFORMS[provider], person)
        self.owner[one] = account
        if same not in self.union:
            self._know(one, same, account)

    def links(self, account: str, provider: str, person: str) -> int:
        """Return the status of adding an identity, and note it."""
        one, same = (provider, person), (persons.PLATFORMS[provider], person)
        if self.owner.get(one, account) != account:
            return 409
        if one in self.owner:
            return 201
        if self.union.get(same, account) != account:
            return 409
        self.owner[one] = account
        self._know(one, same, account)
        return 201

    def unlinks(self, provider: str, person: str) -> int:
        """Return the status of removing an identity, and note it."""
        one, same = (provider, person), (persons.PLATFORMS[provider], person)
        account = self.owner[one]
        if list(self.owner.values()).count(account) == 1:
            return 409
        del self.owner[one]
        if one in self.told:
            self.told.discard(one)
            others = [key for key in self.told if self.owner.get(key) == account]
            if not any((persons.PLATFORMS[p], who) == same for p, who in others):
                del self.union[same]
        return 204

    def _know(self, one: Key, same: Key, account: str) -> None:
        self.union[same] = account
        self.told.add(one)


class Accounts(RuleBasedStateMachine):
    """Persons who sign in, add and remove."""

    host: ClassVar[SignInHost]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.run = next(_runs)

    def called(self, person: str) -> str:
        return f"{person}-{self.run}"  # Each run plays persons of its own.

    def signed_in(self, provider: str, person: str) -> Answer:
        who = self.called(person)
        return by_web(self.host, who) if provider == "qq" else by_mini(self.host, who, provider)

    @rule(provider=st.sampled_from(PROVIDERS), person=st.sampled_from(PERSONS), apart=st.booleans())
    def sign_in(self, provider: str, person: str, apart: bool) -> None:
        wanted = self.model.signs_in(provider, person)
        answer = self.signed_in(provider, person)
        if wanted == "known":
            assert (answer.status, answer.json["code"]) == (409, "person_known")
            if not apart:
                return
            answer = call("POST", "/v1/auth/apart", {"proof": answer.json["proof"]})
        assert answer.status == 200, answer.body
        if wanted in ("known", "new"):
            assert answer.json["account_id"] not in self.model.owner.values()
            self.model.made(provider, person, answer.json["account_id"])
        else:
            assert answer.json["account_id"] == wanted

    @precondition(lambda self: self.model.owner)
    @rule(data=st.data(), provider=st.sampled_from(PROVIDERS), person=st.sampled_from(PERSONS))
    def link(self, data: st.DataObject, provider: str, person: str) -> None:
        account = data.draw(st.sampled_from(sorted(set(self.model.owner.values()))))
        token, who = people.token(account), self.called(person)
        if provider == "qq":
            browser = Browser(self.host, token=token)
            answer = browser.complete(browser.come_back(who))
        else:
            answer = link_mini(self.host, token, who, provider)
        assert answer.status == self.model.links(account, provider, person), answer.body

    @precondition(lambda self: self.model.owner)
    @rule(data=st.data())
    def unlink(self, data: st.DataObject) -> None:
        provider, person = data.draw(st.sampled_from(sorted(self.model.owner)))
        account = self.model.owner[provider, person]
        host_app, who = self.host.apps[provider].appid, self.called(person)
        identity = identity_of(provider, host_app, persons.openid(provider, host_app, who))
        kept = store.load_account(account, consistent=True)
        assert kept is not None
        (link,) = [one for one in kept.links if one.identity_id == identity]
        answer = call("DELETE", f"/v1/me/identities/{link.link_id}", token=people.token(account))
        assert answer.status == self.model.unlinks(provider, person), answer.body

    @invariant()
    def every_account_is_opened_by_what_the_model_says(self) -> None:
        for account in set(self.model.owner.values()):
            mine = sorted(provider for (provider, _), owner in self.model.owner.items() if owner == account)
            answer = call("GET", "/v1/me/identities", token=people.token(account))
            assert sorted(item["provider"] for item in answer.json["items"]) == mine != []


_runs = iter(range(10_000))


def test_in_every_order_who_opens_which_account_is_as_the_model_says(
    cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**SETTINGS, "BIANDAN_THROTTLE_FACTOR": "1000"}.items():
        monkeypatch.setenv(name, value)
    with offered() as Accounts.host:
        run_state_machine_as_test(
            Accounts,
            settings=settings(
                max_examples=10, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
