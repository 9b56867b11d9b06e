"""Whose turn it is, what is counted of whom, and what is taken out of words before anything is paid."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.conversations import domain, figures
from chalicelib.conversations.domain import About, Cause, Entry, Queue, Side, Status, Thread
from chalicelib.conversations.figures import Counts
from chalicelib.conversations.masking import masked
from chalicelib.conversations.texts import STEPS

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def thread() -> Thread:
    return Thread(
        conversation_id="cnv_1",
        buyer_id="acc_b",
        merchant_id="mer_1",
        about=About.ORDER,
        subject_id="ord_1",
        title="Tea",
        status=Status.ASKED,
        queue=Queue.ORDERS,
        opened_at=NOW,
        since=NOW,
        moved_at=NOW,
        asked_at=NOW,
    )


class Told:
    """A conversation that is played step by step, with what it counts."""

    def __init__(self) -> None:
        self.thread, self.now = thread(), NOW
        self.counted: dict[str, Counts] = {}
        self.begun = False

    def step(self, side: Side, cause: Cause | None = None, *, text: str = "", hours: int = 1, agent: str = "") -> Told:
        self.now += timedelta(hours=hours)
        author = agent or ("acc_a" if side is Side.SERVICE else "acc_x")
        entry = Entry(self.thread.count + 1, self.now, side, author, cause, text)
        before = self.thread if self.begun else None
        self.thread = domain.with_entry(self.thread, entry, agent=agent)
        self.begun = True
        for whose, counts in figures.changes(before, self.thread, entry).items():
            self.counted[whose] = self.counted.get(whose, Counts()).plus(counts)
        return self

    def say(self, side: Side, *, hours: int = 1) -> Told:
        return self.step(side, domain.cause_of(self.thread, side) if self.begun else None, text="words", hours=hours)


def test_a_conversation_goes_from_merchant_to_service_and_comes_back_and_everything_is_counted_once() -> None:
    told = Told().say(Side.BUYER, hours=0).say(Side.BUYER)
    assert (told.thread.status, told.thread.turn, told.thread.due_at) == (
        Status.ASKED,
        Side.MERCHANT,
        NOW + timedelta(hours=48),
    )
    told.say(Side.MERCHANT, hours=49)  # An hour with the buyer's second words: two hours too late.
    assert told.counted == {"mer_1": Counts(opened=1, answered=1, answer_s=50 * 3600, late=1)}
    told.say(Side.MERCHANT).step(Side.BUYER, Cause.CALL)
    assert told.thread.called_at == told.now
    told.step(Side.SERVICE, Cause.TAKE, agent="acc_a").say(Side.BUYER).say(Side.SERVICE)
    assert told.thread.status is Status.WAITING
    assert told.thread.called_at is None
    told.say(Side.SERVICE).say(Side.MERCHANT)
    assert told.thread.status is Status.HELD
    told.step(Side.SERVICE, Cause.SOLVE)
    of_service = Counts(opened=1, answered=1, answer_s=3 * 3600, solved=1)
    assert told.counted["service"] == of_service
    assert told.counted["acc_a"] == replace(of_service, opened=0)
    told.say(Side.BUYER)
    assert told.thread.status is Status.CALLED
    assert told.thread.called_at == told.now
    assert (told.counted["service"].reopened, told.counted["acc_a"].reopened) == (1, 1)
    assert told.counted["mer_1"].reopened == 0


def test_silence_brings_the_service_in_and_its_own_silence_gives_the_conversation_back() -> None:
    told = Told().say(Side.BUYER, hours=0)
    for status, cause in (
        (Status.ASKED, Cause.SILENCE),
        (Status.CALLED, Cause.CHASE),
        (Status.HELD, Cause.GIVE_BACK),
        (Status.WAITING, Cause.LAPSE),
        (Status.ANSWERED, Cause.LAPSE),
    ):
        assert domain.MACHINE.timeout(status) is cause
    told.step(Side.PLATFORM, Cause.SILENCE, hours=48).step(Side.PLATFORM, Cause.CHASE, hours=24)
    assert (told.thread.called_at, told.thread.chased) == (NOW + timedelta(hours=48), 1)
    told.step(Side.SERVICE, Cause.TAKE, agent="acc_a").step(Side.PLATFORM, Cause.GIVE_BACK, hours=24)
    assert (told.thread.status, told.thread.chased) == (Status.CALLED, 0)
    assert told.thread.called_at == NOW + timedelta(hours=48)  # The buyer waits since then, whoever had it.


def test_what_was_solved_is_asked_anew_of_whoever_solved_it() -> None:
    told = Told().say(Side.BUYER, hours=0).say(Side.MERCHANT).step(Side.MERCHANT, Cause.SOLVE).say(Side.BUYER)
    assert (told.thread.status, told.counted["mer_1"].solved, told.counted["mer_1"].reopened) == (Status.ASKED, 1, 1)
    lapsed = Told().say(Side.BUYER, hours=0).say(Side.MERCHANT).step(Side.PLATFORM, Cause.LAPSE, hours=168)
    assert (lapsed.counted["mer_1"].solved, lapsed.counted["mer_1"].lapsed) == (0, 1)


def test_marks_of_reading_go_forward_and_no_further_than_there_is() -> None:
    told = Told().say(Side.BUYER, hours=0).say(Side.MERCHANT).say(Side.MERCHANT).thread
    assert (told.unread_by(Side.BUYER), told.unread_by(Side.MERCHANT), told.unread_by(Side.SERVICE)) == (
        True,
        True,
        True,
    )
    read = domain.with_read(told, Side.BUYER, 2)
    assert read.unread_by(Side.BUYER)
    read = domain.with_read(read, Side.BUYER, 99)
    assert (read.read[Side.BUYER], read.unread_by(Side.BUYER)) == (3, False)
    assert domain.with_read(read, Side.BUYER, 1).read == read.read


def test_nobody_talks_alone_for_ever() -> None:
    told = Told().say(Side.BUYER, hours=0)
    for _ in range(domain.MOST_IN_A_ROW - 1):
        domain.check_room(told.thread, Side.BUYER)
        told.say(Side.BUYER, hours=0)
    with pytest.raises(domain.TooManyWords):
        domain.check_room(told.thread, Side.BUYER)
    domain.check_room(told.thread, Side.MERCHANT)
    with pytest.raises(domain.TooManyWords):
        domain.check_room(replace(told.thread, count=domain.MOST_WORDS), Side.SERVICE)


def test_only_who_has_a_conversation_ends_it_for_the_service() -> None:
    held = Told().say(Side.BUYER, hours=0).step(Side.BUYER, Cause.CALL).step(Side.SERVICE, Cause.TAKE, agent="acc_a")
    domain.check_solver(held.thread, Side.SERVICE, "acc_a")
    domain.check_solver(held.thread, Side.BUYER, "acc_b")
    for side, who in ((Side.SERVICE, "acc_z"), (Side.MERCHANT, "acc_x")):
        with pytest.raises(domain.NotInHand):
            domain.check_solver(held.thread, side, who)


def test_every_step_without_words_has_its_own() -> None:
    with_words = {Cause.ASK, Cause.ANSWER, Cause.SPEAK}
    assert set(STEPS) == set(Cause) - with_words


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("加微信 tea_house88 聊", "加*** 聊"),
        ("我的微信号：abc12345", "我的***"),
        ("威信tea88888便宜", "***便宜"),
        ("vx: teahouse_1", "***"),
        ("QQ 123456", "***"),
        ("call 138-1234-5678 now", "call *** now"),
        ("電話１３８１２３４５６７８", "電話***"),
        ("+86 138 1234 5678", "***"),
        ("write to me@example.com, please", "write to ***, please"),
        ("see https://tea.example.com/buy?x=1 for less", "see *** for less"),
        ("www.tea.example.com便宜", "***"),
        # What is none of these stays as it is.
        ("Is it 1280x720, and 99.90 yuan for 250 g?", "Is it 1280x720, and 99.90 yuan for 250 g?"),
        ("2026-11-29 到货吗", "2026-11-29 到货吗"),
        ("order ord_0123456789abcdefghjkmnpq_01", "order ord_0123456789abcdefghjkmnpq_01"),
        ("尺码 42，数量 12", "尺码 42，数量 12"),
        ("可以微信支付吗", "可以微信支付吗"),
    ],
)
def test_ways_to_be_reached_elsewhere_are_taken_out(said: str, shown: str) -> None:
    assert masked(said) == shown


def test_masking_takes_no_longer_than_words_are_long() -> None:
    for hard in ("1 " * 1000, "a." * 1000, "微信 " * 600, "@" * 2000, "www." * 500):
        masked(hard)
