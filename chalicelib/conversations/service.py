"""Use cases of conversations: say something, read, call the service, take, hand over, solve; and missed turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime

from chalicelib.auth import service as auth
from chalicelib.complaints import service as complaints
from chalicelib.conversations import answers as answers  # noqa: PLC0414 - part of what others call
from chalicelib.conversations import domain, figure_store, store, subjects, writing
from chalicelib.conversations import figures as figures  # noqa: PLC0414 - as above
from chalicelib.conversations.domain import About, Cause, Entry, Queue, Side, Status, Thread
from chalicelib.conversations.forgetting import forget as forget  # noqa: PLC0414 - whoever forgets asks here
from chalicelib.conversations.forgetting import kept_of as kept_of  # noqa: PLC0414 - whoever hands out asks here
from chalicelib.conversations.writing import Party as Party  # noqa: PLC0414 - part of what others call
from chalicelib.conversations.writing import Step
from chalicelib.conversations.writing import Words as Words  # noqa: PLC0414 - as above
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Busy, NotFound
from chalicelib.kernel.pages import Page, Window
from chalicelib.kernel.roles import Desk
from chalicelib.runtime import log, metrics
from chalicelib.runtime.config import setting
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent


def begin(
    party: Party, about: About, subject_id: str, words: Words, intent: Intent
) -> tuple[Thread, Entry | None, bool]:
    """Say something about a thing: in the conversation that there is of it, or in a new one.

    Says which entry it is, and whether the same intent wrote it before.

    Raises:
        NotFound: if the thing is not theirs to talk about.
        TooManyWords: if too much was said, or begun today.
        EvidenceMissing, EvidenceRefused: as the pictures are.
        Busy: if it kept changing.
    """
    subject = subjects.of(about, subject_id, party.side, party.owner_id)
    conversation_id = ids.derived_id("cnv", subject.buyer_id, about.value, subject_id)

    def attempt() -> tuple[Thread, Entry | None, bool]:
        before, sent = store.with_sent(conversation_id, intent)
        if before is not None:
            return _said(party, before, sent, words, intent)
        row = store.opened(party.account_id, clock.now().astimezone(clock.CHINA).date().isoformat())
        if int(row.number) >= int(setting("BIANDAN_CONVERSATIONS_A_DAY", str(domain.OPENED_A_DAY))):
            raise domain.TooManyWords(why="day")
        made = writing.fresh(conversation_id, about, subject_id, subject, by=party.side)
        step = writing.words_of(party, made, words)
        with UnitOfWork() as work:
            store.count_opened(work, row)
            after, entry = writing.write(work, None, made, party, step, intent=intent)
        return after, entry, False

    return racing(attempt, otherwise=Busy)


def say(party: Party, conversation_id: str, words: Words, intent: Intent) -> tuple[Thread, Entry | None, bool]:
    """Say something in a conversation; says which entry it is, and whether the same intent wrote it before.

    Raises:
        NotFound: if it is not theirs.
        NotInHand: if the service speaks and somebody else has it.
        TooManyWords: if too much was said in a row.
        EvidenceMissing, EvidenceRefused: as the pictures are.
        Busy: if it kept changing.
    """

    def attempt() -> tuple[Thread, Entry | None, bool]:
        before, sent = store.with_sent(conversation_id, intent)
        return _said(party, _theirs(party, before), sent, words, intent)

    return racing(attempt, otherwise=Busy)


def call(party: Party, conversation_id: str, intent: Intent) -> tuple[Thread, Entry | None, bool]:
    """Call the service into a conversation; one that is with it stays as it is.

    Raises:
        NotFound, IllegalTransition, Busy: as named.
    """

    def step(before: Thread) -> Step:
        return Step(is_news=False) if before.status in domain.WITH_SERVICE else Step(Cause.CALL)

    return _act(party, conversation_id, intent, step)


def take(agent: Party, conversation_id: str, intent: Intent) -> tuple[Thread, Entry | None, bool]:
    """Take a conversation out of its queue.

    Raises:
        NotFound, IllegalTransition, Busy: as named.
    """
    return _act(agent, conversation_id, intent, lambda _: Step(Cause.TAKE, agent=agent.account_id))


def transfer(
    agent: Party, conversation_id: str, *, queue: Queue | None, to: str, note: str, intent: Intent
) -> tuple[Thread, Entry | None, bool]:
    """Give a conversation to a queue or to somebody, with a note that the service alone sees.

    Raises:
        NotFound, IllegalTransition, Busy: as named.
        NotInHand: if somebody else has it; what waits in a queue anybody may put into another.
        NoSuchAgent: if they do not work at that desk, or are a party.
    """

    def step(before: Thread) -> Step:
        if not (before.status is Status.CALLED and queue is not None):
            domain.check_agent(before, agent.account_id)
        if queue is not None:
            return Step(Cause.PASS_ON, text=note, inner=True, queue=queue)
        domain.MACHINE.next(before.status, Cause.HAND_OVER)
        _check_hand(before, to)
        return Step(Cause.HAND_OVER, text=note, inner=True, agent=to)

    return _act(agent, conversation_id, intent, step)


def solve(party: Party, conversation_id: str, intent: Intent) -> tuple[Thread, Entry | None, bool]:
    """Say that a conversation is over.

    Raises:
        NotFound, IllegalTransition, NotInHand, Busy: as named.
    """

    def step(before: Thread) -> Step:
        domain.check_solver(before, party.side, party.account_id)
        return Step(Cause.SOLVE)

    return _act(party, conversation_id, intent, step)


def mark_read(party: Party, conversation_id: str, number: int) -> Thread:
    """Note how far a side has read; never further than there is, never back.

    Raises:
        NotFound, Busy: as named.
    """

    def attempt() -> Thread:
        before = _theirs(party, store.find(conversation_id))
        after = domain.with_read(before, party.side, number)
        if after.read == before.read:
            return before
        with UnitOfWork() as work:
            store.save(work, after)
        return replace(after, version=after.version + 1)

    return racing(attempt, otherwise=Busy)


def load(party: Party, conversation_id: str) -> Thread:
    """Return a conversation of a party.

    Raises:
        NotFound: if there is none of theirs.
    """
    return _theirs(party, store.find(conversation_id))


def entries(party: Party, conversation_id: str, window: Window) -> Page[Entry]:
    """Return one page of what was said, the last first. Notes of the service are for the service."""
    page = store.entries(conversation_id, window)
    return Page([one for one in page.items if party.side is Side.SERVICE or not one.inner], page.after)


def list_for(party: Party, window: Window, *, waiting: bool = False) -> Page[Thread]:
    """Return one page of a party's conversations: what moved last first, or of a merchant what waits for it.

    Of the service's, those that the caller has in hand.
    """
    if party.side is Side.SERVICE:
        return store.list_for("by_desk", store.in_hand(party.account_id), window)
    if waiting and party.side is Side.MERCHANT:
        return store.list_for("by_desk", store.waits_for(party.owner_id), window)
    return store.list_for(party.side.value, party.owner_id, window)


def list_queue(queue: Queue, window: Window) -> Page[Thread]:
    """Return one page of what waits in a queue of the service, the longest first."""
    return store.list_for("by_desk", store.in_queue(queue), window)


def show_picture(party: Party, conversation_id: str, number: int, picture_id: str) -> tuple[str, datetime]:
    """Return an address that shows a picture of an entry for some minutes.

    Raises:
        NotFound: if the conversation is not theirs, or has no such picture.
    """
    load(party, conversation_id)
    entry = store.entry(conversation_id, number)
    for one in entry.pictures if entry is not None else ():
        if one.picture_id == picture_id:
            return complaints.link_copy(conversation_id, picture_id, one.content_type)
    raise NotFound(what="evidence")


def counts_between(whose: str, first: date, last: date) -> dict[date, figures.Counts]:
    """Return what was counted of whom on each day (of China) between two; days without anything are left out."""
    return figure_store.between(whose, first, last)


def parties(conversation_id: str) -> tuple[str, str]:
    """Return the buyer and the merchant of a conversation.

    Raises:
        NotFound: if there is none.
    """
    found = store.load(conversation_id)
    return found.buyer_id, found.merchant_id


def answered_by(conversation_id: str) -> tuple[bool, str]:
    """Say whether anybody answered the buyer, and who of the service has or had it.

    Raises:
        NotFound: if there is none.
    """
    found = store.load(conversation_id)
    return bool({Side.MERCHANT, Side.SERVICE} & set(found.said)), found.agent


def time_out(conversation_id: str) -> None:
    """Move on a conversation in which a turn was missed; a stale call is a no-op.

    Raises:
        NotFound, Busy: as named.
    """

    def attempt() -> Cause | None:
        before = store.load(conversation_id)
        cause = domain.MACHINE.timeout(before.status)
        if cause is None or before.due_at is None or before.due_at > clock.now():
            return None
        with UnitOfWork() as work:
            writing.write(work, before, before, Party(Side.PLATFORM, ""), Step(cause), intent=None)
        return cause

    cause = racing(attempt, otherwise=Busy)
    if cause is Cause.CHASE:
        metrics.count("conversations_overdue")
        log.warning("conversation waits for the service", conversation_id=conversation_id)


_Decide = Callable[[Thread], Step]


def _act(party: Party, conversation_id: str, intent: Intent, step: _Decide) -> tuple[Thread, Entry | None, bool]:
    def attempt() -> tuple[Thread, Entry | None, bool]:
        before, sent = store.with_sent(conversation_id, intent)
        thread = _theirs(party, before)
        if sent is not None:
            return thread, store.entry(conversation_id, sent), True
        wanted = step(thread)
        if not wanted.is_news:
            return thread, None, False
        with UnitOfWork() as work:
            after, entry = writing.write(work, thread, thread, party, wanted, intent=intent)
        return after, entry, False

    return racing(attempt, otherwise=Busy)


def _said(
    party: Party, before: Thread, sent: int | None, words: Words, intent: Intent
) -> tuple[Thread, Entry | None, bool]:
    if sent is not None:
        return before, store.entry(before.conversation_id, sent), True
    if party.side is Side.SERVICE:
        _check_speaker(before, party.account_id)
    domain.check_room(before, party.side)
    step = writing.words_of(party, before, words)
    with UnitOfWork() as work:
        after, entry = writing.write(work, before, before, party, step, intent=intent)
    return after, entry, False


def _check_speaker(thread: Thread, account_id: str) -> None:
    """Check that somebody may speak for the service: who has the conversation in hand.

    Raises:
        NotInHand: if they have not.
    """
    if thread.status not in domain.IN_HAND or thread.agent != account_id:
        raise domain.NotInHand


def _theirs(party: Party, thread: Thread | None) -> Thread:
    if thread is None or not party.owns(thread):
        raise NotFound(what="conversation")
    return thread


def _check_hand(thread: Thread, account_id: str) -> None:
    """Check that somebody may be given a conversation.

    Raises:
        NoSuchAgent: if they do not work at the service's desk, or are a party to it.
    """
    try:
        account = auth.account(account_id)
    except NotFound:
        raise domain.NoSuchAgent from None
    at_desk = bool({Desk.SUPPORT, Desk.ADMIN} & set(account.desks))
    if not at_desk or account_id == thread.buyer_id or thread.merchant_id in auth.merchants_of(account):
        raise domain.NoSuchAgent
