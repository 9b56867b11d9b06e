"""Sending a code and using it up: the same calls for contacts that have an account and for those that have none."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from chalicelib.auth import devices, notices, throttles
from chalicelib.auth import store as account_store
from chalicelib.auth.challenges import Solved
from chalicelib.auth.codes import domain, store
from chalicelib.auth.codes.domain import BadCode, Code, Purpose
from chalicelib.auth.domain import ChallengeNeeded, Identity
from chalicelib.auth.identities import identity_id_of
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import AlreadyExists
from chalicelib.notifications import service as notifications
from chalicelib.runtime import metrics
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

INSTEAD: dict[tuple[Purpose, bool], str] = {
    (Purpose.REGISTER, True): "registered_already",
    (Purpose.RESET, False): "not_registered",
}
"""What a contact is told in place of a code that would lead nowhere, by purpose and whether it has an account. Nobody
but who reads it there learns which it was."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a code, and for what."""

    purpose: Purpose
    contact: Identity
    source_ip: str
    language: str
    device_token: str | None = None
    solved: Solved | None = None
    """What was asked for where codes are no longer free."""


def send(asked: Asked, *, intent: Intent) -> str:
    """Send a code; returns its id, which its use must name: a stranger's code for the same contact is another one.

    A repeat of the intent sends nothing more.

    Raises:
        ChannelMissing: if no channel is set up for this kind of contact.
        ChallengeNeeded: if so many were sent to this contact or asked for from this network that more are bought with
            work.
        Throttled: if no more are to be had.
    """
    kind = notices.KINDS[asked.contact.kind]
    notifications.check_reaches(kind)
    identity_id = identity_id_of(asked.contact)
    code_id = f"cod_{throttles.keyed(f'{asked.purpose}:{identity_id}:{intent.key}', 'code-id')[:24]}"
    account_id = account_store.account_of(identity_id)
    try:
        worked = _charge(asked, identity_id, account_id)
    except ChallengeNeeded:
        if asked.solved is not None and store.load(code_id) is not None:
            return code_id  # The first try used up the solution, and was not heard.
        raise
    template = INSTEAD.get((asked.purpose, account_id is not None))
    said = domain.spelled(int.from_bytes(ids.random_bytes(8)))
    expires_at = clock.now() + domain.LIFE
    code = Code(
        code_id=code_id,
        subject=_subject(asked.purpose, asked.contact),
        # Where something else is said, no code leads anywhere, and the row is there all the same.
        digest=_digest(code_id, said if template is None else ids.random_bytes(16).hex()),
        status=domain.CODES.initial,
        tries=domain.TRIES - domain.tries_left(worked=worked),
        expires_at=expires_at,
    )
    try:
        with UnitOfWork(f"code#{code_id}") as work:
            store.add(work, code)
            notifications.ask(
                work,
                notifications.Asked(
                    kind=kind,
                    to=asked.contact.value,
                    template=template or f"code_{asked.purpose.value}",
                    language=asked.language,
                    fact=f"code#{code_id}",
                    useless_at=expires_at,
                    values={"code": said, "minutes": str(int(domain.LIFE.total_seconds() // 60))},
                ),
            )
    except AlreadyExists:
        return code_id
    metrics.count("codes_sent")
    return code_id


def _charge(asked: Asked, identity_id: str, account_id: str | None) -> bool:
    """Count it: on a known device that of the device alone, so that no stranger stands in its owner's way.

    Says whether it was bought with work, as it is where the contact or the network is under attack.
    """
    known = devices.known(asked.device_token)
    network = throttles.network_of(asked.source_ip)
    if known is not None and known.account_id == account_id:
        throttles.count(domain.BY_DEVICE, f"{identity_id}#{known.device_id}")
        return False
    pair = f"{identity_id}#{network}"
    return throttles.free_or_worked(
        [(domain.BY_NETWORK, network), (domain.BY_PAIR, pair), (domain.BY_CONTACT, identity_id)],
        [
            (domain.WORKED_BY_NETWORK, network),
            (domain.WORKED_BY_PAIR, pair),
            (domain.WORKED_BY_CONTACT, identity_id),
        ],
        subject=f"code#{pair}",
        solved=asked.solved,
        bits=lambda: domain.bits_after(throttles.counted(domain.BY_CONTACT, identity_id)),
    )


def consume(work: UnitOfWork, purpose: Purpose, contact: Identity, *, code_id: str, code: str) -> None:
    """Use a code up in the caller's transaction: either all of it happens, or the code still counts.

    Each guess takes a version of the row, so that many at the same moment are no more than one after the other. Where
    another was faster the transaction is refused as ``ConcurrentUpdate``: read again (``racing``).

    Raises:
        BadCode: if it is wrong, which is counted, or no longer valid.
    """
    use(work, check(purpose, contact, code_id=code_id, code=code))


def use(work: UnitOfWork, checked: Code) -> None:
    """Use up a code that was right; see :func:`consume`."""
    store.save(work, checked.used())


def check(purpose: Purpose, contact: Identity, *, code_id: str, code: str) -> Code:
    """Return the code if it is right, without using it up; a wrong guess is counted.

    Raises:
        BadCode: as :func:`consume`.
        ConcurrentUpdate: if somebody guessed at the same moment.
    """
    found = store.load(code_id) if ids.is_id("cod", code_id) else None
    if found is None or not found.is_open(_subject(purpose, contact), clock.now()):
        raise BadCode
    if not hmac.compare_digest(found.digest, _digest(code_id, code)):
        with UnitOfWork() as own:
            store.save(own, found.missed())
        metrics.count("codes_refused")
        raise BadCode
    return found


def _subject(purpose: Purpose, contact: Identity) -> str:
    return throttles.keyed(f"{purpose}:{identity_id_of(contact)}", "code-subject")[:24]


def _digest(code_id: str, code: str) -> str:
    return throttles.keyed(f"{code_id}:{code}", "code")
