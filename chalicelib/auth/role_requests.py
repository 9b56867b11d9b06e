"""Roles that nobody gives alone: an operator asks, another one approves, and in the same transaction it is given."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.auth import domain, living, role_request_store, standing, store
from chalicelib.auth import events as facts
from chalicelib.auth.domain import Account, RoleChange, RoleRequest
from chalicelib.kernel import clock, second_person
from chalicelib.kernel.errors import Forbidden, NotFound, Unauthenticated
from chalicelib.kernel.pages import Page, Window
from chalicelib.kernel.roles import Role
from chalicelib.kernel.second_person import Cause, OwnApproval, Person
from chalicelib.runtime import log
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Caller
from chalicelib.runtime.intents import Intent


def operator_of(caller: Caller) -> Account:
    """Return the operator's account as it stands now: a token may be older than a dismissal.

    Raises:
        Unauthenticated: if the account is gone, or the token's session was ended.
        Forbidden: if it is no operator's any more, or also a merchant's staff.
    """
    account = store.load_account(caller.account_id, consistent=True)
    if account is None or living.is_over(caller, account):
        raise Unauthenticated
    if not standing.is_operator(account):
        raise Forbidden
    return account


def check_second_person(*, asked_by: str, by: str) -> None:
    """Check that ``by`` is a second person for what ``asked_by`` asked.

    Raises:
        OwnApproval, AskerGone, KinApproval: as :func:`chalicelib.kernel.second_person.check`.
    """
    asker, decider = _persons(asked_by, by)
    second_person.check(asker, decider)


def _persons(asked_by: str, by: str) -> tuple[Person, Person]:
    now = clock.now()
    accounts = store.load_accounts([asked_by, by])

    def one(account_id: str) -> Person:
        found = accounts.get(account_id)
        if found is None:
            return Person(account_id, may_ask=False, kin=frozenset({account_id}))
        return standing.person(found, now=now)

    return one(asked_by), one(by)


def ask_role(account_id: str, role: Role, reason: str, *, by: str, intent: Intent) -> tuple[RoleRequest, bool]:
    """Ask for a role for somebody; returns the request, and whether this intent had asked before. Nothing is given yet.

    Raises:
        NotFound: if there is no such account.
        BadGrant: if the role needs no second person, or the account has it.
        OperatorNotStaff: if the account is a merchant's staff.
        IdempotencyKeyReused: if the key asked for something else.
    """
    request_id = intent.record_id("rrq")

    def attempt() -> tuple[RoleRequest, bool]:
        known = role_request_store.load(request_id)
        if known is not None:
            intent.check(known.fingerprint)
            return known, True
        account = _account(account_id)
        request = RoleRequest(
            request_id=request_id,
            account_id=account_id,
            role=role,
            reason=reason,
            status=domain.ROLE_REQUEST.initial,
            asked_by=by,
            asked_at=clock.now(),
            fingerprint=intent.fingerprint,
        )
        if role not in domain.PRIVILEGED or _given(account, request) is account:
            raise domain.BadGrant
        with UnitOfWork() as work:
            role_request_store.save(work, request)
        return replace(request, version=1), False

    return racing(attempt)


def role_request(request_id: str) -> RoleRequest:
    """Return one request.

    Raises:
        NotFound: if there is none.
    """
    found = role_request_store.load(request_id)
    if found is None:
        raise NotFound(what="role request")
    return found


def role_requests(window: Window) -> Page[RoleRequest]:
    """Return one page of requests, of any state."""
    return role_request_store.list_all(window)


def decide_role(request_id: str, *, approve: bool, by: str, note: str, intent: Intent) -> tuple[RoleRequest, bool]:
    """Approve (the role is given in the same transaction) or reject a request; says whether this intent did it before.

    Raises:
        NotFound: if there is no such request, or no such account any more.
        OwnApproval: if the caller asked for it or would get it (who asked may only take it back: reject it).
        AskerGone, KinApproval: if who asked is no operator any more, or one of the two owes the role to the other.
        IllegalTransition: if it is decided or expired.
        OperatorNotStaff: if the account became a merchant's staff; it stays pending.
        IdempotencyKeyReused: if the key decided with another body.
    """
    cause = Cause.APPROVE if approve else Cause.REJECT

    def attempt() -> tuple[RoleRequest, bool]:
        request = role_request(request_id)
        if request.intent and request.intent == intent.token:
            intent.check(request.decided_fingerprint)
            return request, True
        now = clock.now()
        decided = replace(
            request,
            status=domain.ROLE_REQUEST.next(request.status_at(now), cause),
            decided_by=by,
            decided_at=now,
            note=note,
            intent=intent.token,
            decided_fingerprint=intent.fingerprint,
        )
        with UnitOfWork() as work:
            if approve:
                _give(work, decided)
            role_request_store.save(work, decided)
        log.info("role request decided", account_id=request.account_id, role=request.role.value, approved=approve)
        return replace(decided, version=decided.version + 1), False

    return racing(attempt)


def _give(work: UnitOfWork, request: RoleRequest) -> None:
    """Give the role in the caller's work, if a second person may."""
    asker, decider = _persons(request.asked_by, request.decided_by)
    if request.account_id == decider.account_id:
        raise OwnApproval
    second_person.check(asker, decider)
    account = _account(request.account_id)
    changed = _given(account, request, sponsors=tuple(sorted(asker.kin)))
    if changed is account:  # They got it meanwhile.
        return
    told = facts.RoleGranted(
        account_id=account.account_id,
        role=request.role.value,
        merchant_id=None,
        change=changed.history[-1].number,
    )
    work.save(store.account_row(changed), events=[told], label="account")


def _given(account: Account, request: RoleRequest, *, sponsors: tuple[str, ...] = ()) -> Account:
    change = RoleChange(
        number=domain.next_change(account),
        at=clock.now(),
        by=request.asked_by,
        gives=True,
        role=request.role,
        token=request.request_id,
        fingerprint=request.fingerprint,
        approved_by=request.decided_by,
        sponsors=sponsors,
    )
    return domain.change_role(account, change)


def _account(account_id: str) -> Account:
    account = store.load_account(account_id, consistent=True)
    if account is None:
        raise NotFound(what="account")
    return account
