"""A code through any order of asking, guessing, using and waiting: right at most once, and never after five misses."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from chalicelib.auth import domain, service
from chalicelib.auth.codes import store
from chalicelib.auth.codes.domain import LIFE, TRIES, BadCode, CodeStatus, Purpose
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Throttled
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import system_intent
from tests.support import joining

CONTACTS = ("ada@example.com", "+8613800138000")


class Codes(RuleBasedStateMachine):
    """What a code may do, beside what the shop lets it do."""

    sent = Bundle("sent")

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.right: dict[str, str] = {}
        self.misses: dict[str, int] = {}
        self.uses: dict[str, int] = {}
        self.ends: dict[str, datetime] = {}

    @rule(target=sent, contact=st.sampled_from(CONTACTS), purpose=st.sampled_from((Purpose.SIGN_IN, Purpose.VERIFY)))
    def ask(self, contact: str, purpose: Purpose) -> tuple[str, Purpose, str]:
        self.number += 1
        asked = service.codes.Asked(purpose, domain.identity(contact), f"10.0.{self.number}.1", "en")
        try:
            code_id = service.codes.send(asked, intent=system_intent(f"{id(self)}#{self.number}"))
        except Throttled:
            return contact, purpose, ""
        self.right[code_id] = joining.code_of(contact, code_id)
        self.misses[code_id] = self.uses[code_id] = 0
        self.ends[code_id] = clock.now() + LIFE
        return contact, purpose, code_id

    @rule(one=sent, right=st.booleans(), other_contact=st.booleans(), other_purpose=st.booleans())
    def use(self, one: tuple[str, Purpose, str], right: bool, other_contact: bool, other_purpose: bool) -> None:
        contact, purpose, code_id = one
        if not code_id:
            return
        code = self.right[code_id] if right else f"{(int(self.right[code_id]) + 1) % 10**6:06d}"
        fits = not other_contact and not other_purpose
        shown = CONTACTS[1 - CONTACTS.index(contact)] if other_contact else contact
        meant = Purpose.RESET if other_purpose else purpose
        is_open = fits and self.uses[code_id] == 0 and self.misses[code_id] < TRIES and clock.now() < self.ends[code_id]
        try:
            with UnitOfWork() as work:
                service.codes.consume(work, meant, domain.identity(shown), code_id=code_id, code=code)
        except BadCode:
            assert not (is_open and right)
            self.misses[code_id] += int(is_open)
        else:
            assert is_open
            assert right
            self.uses[code_id] += 1

    @rule(minutes=st.sampled_from((1, 9, 10)))
    def wait(self, minutes: int) -> None:
        Codes.time.advance(timedelta(minutes=minutes))

    @invariant()
    def rows_say_what_happened(self) -> None:
        for code_id in self.right:
            kept = store.load(code_id)
            assert kept is not None
            expected = CodeStatus.USED if self.uses[code_id] else CodeStatus.SENT
            expected = CodeStatus.SPENT if self.misses[code_id] >= TRIES else expected
            assert kept.status is expected
            assert self.uses[code_id] <= 1

    time: clock.Fixed


@pytest.mark.usefixtures("cloud")
def test_the_machine_of_codes(noon: clock.Fixed) -> None:
    Codes.time = noon
    run_state_machine_as_test(Codes, settings=settings(max_examples=12, stateful_step_count=20))
