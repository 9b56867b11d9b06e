"""Roles that nobody gives alone: an operator asks, another one approves, and in the same transaction it is given."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.auth import domain, living, required_factors, standing, store
from chalicelib.auth.domain import Account, RoleChange, RoleRequest
from chalicelib.auth.staff import request_store, staffing
from chalicelib.auth.staff.domain import check_desk
from chalicelib.kernel import clock, second_person
from chalicelib.kernel.errors import Forbidden, NotFound, Unauthenticated
from chalicelib.kernel.pages import Page, Window
from chalicelib.kernel.policy import Rule
from chalicelib.kernel.roles import Desk, Post, Role
from chalicelib.kernel.second_person import Cause, OwnApproval, Person
from chalicelib.runtime import log
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Caller
from chalicelib.runtime.intents import Intent


def operator_of(caller: Caller, rule: Rule) -> Account:
    """Return the operator's account as it stands now, at a desk of the rule: a token may be older than a dismissal.

    Raises:
        Unauthenticated: if the account is gone, or the token's session was ended.
        Forbidden: if it is no operator's any more, or also a merchant's staff.
        DeskNeeded: if it is one's at another desk.
        SecondFactorRequired: if this installation wants one of operators, and the session was begun without.
    """
    account = store.load_account(caller.account_id, consistent=True)
    if account is None or living.is_over(caller, account):
        raise Unauthenticated
    if not standing.is_operator(account):
        raise Forbidden
    required_factors.check(caller, account, Role.OPERATOR)
    check_desk(account, rule)
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


def ask_role(
    account_id: str,
    role: Role,
    reason: str,
    *,
    merchant_id: str | None = None,
    post: Post | None = None,
    desk: Desk | None = None,
    by: str,
    intent: Intent,
) -> tuple[RoleRequest, bool]:
    """Ask for a role for somebody; returns the request, and whether this intent had asked before. Nothing is given yet.

    Raises:
        NotFound: if there is no such account, or no such merchant.
        BadGrant: if role, merchant, post and desk do not go together, or the account has it.
        StaffElsewhere: if the account works for as many merchants as it may.
        OperatorNotStaff: if it would be an operator and a merchant's staff at once.
        IdempotencyKeyReused: if the key asked for something else.
    """
    request_id = intent.record_id("rrq")
    if merchant_id is not None:
        staffing.check_merchant(merchant_id)

    def attempt() -> tuple[RoleRequest, bool]:
        known = request_store.load(request_id)
        if known is not None:
            intent.check(known.fingerprint)
            return known, True
        account = staffing.loaded(account_id)
        request = RoleRequest(
            request_id=request_id,
            account_id=account_id,
            role=role,
            reason=reason,
            status=domain.ROLE_REQUEST.initial,
            asked_by=by,
            asked_at=clock.now(),
            fingerprint=intent.fingerprint,
            merchant_id=merchant_id,
            post=post,
            desk=desk,
        )
        if role not in domain.PRIVILEGED or _given(account, request) is account:
            raise domain.BadGrant
        with UnitOfWork() as work:
            request_store.save(work, request)
        return replace(request, version=1), False

    return racing(attempt)


def role_request(request_id: str) -> RoleRequest:
    """Return one request.

    Raises:
        NotFound: if there is none.
    """
    found = request_store.load(request_id)
    if found is None:
        raise NotFound(what="role request")
    return found


def role_requests(window: Window) -> Page[RoleRequest]:
    """Return one page of requests, of any state."""
    return request_store.list_all(window)


def decide_role(request_id: str, *, approve: bool, by: str, note: str, intent: Intent) -> tuple[RoleRequest, bool]:
    """Approve (the role is given in the same transaction) or reject a request; says whether this intent did it before.

    Raises:
        NotFound: if there is no such request, or no such account any more.
        OwnApproval: if the caller asked for it or would get it (who asked may only take it back: reject it).
        AskerGone, KinApproval: if who asked is no operator any more, or one of the two owes the role to the other.
        IllegalTransition: if it is decided or expired.
        OperatorNotStaff, StaffElsewhere, StaffFull: if the account or the merchant came to be in the way; it stays
            pending.
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
            request_store.save(work, decided)
        log.info("role request decided", account_id=request.account_id, role=request.role.value, approved=approve)
        return replace(decided, version=decided.version + 1), False

    return racing(attempt)


def _give(work: UnitOfWork, request: RoleRequest) -> None:
    """Give the role in the caller's work, if a second person may."""
    asker, decider = _persons(request.asked_by, request.decided_by)
    if request.account_id == decider.account_id:
        raise OwnApproval
    second_person.check(asker, decider)
    account = staffing.loaded(request.account_id)
    changed = _given(account, request, sponsors=tuple(sorted(asker.kin)))
    if changed is not account:  # Else they got it meanwhile.
        staffing.save(work, account, changed)


def _given(account: Account, request: RoleRequest, *, sponsors: tuple[str, ...] = ()) -> Account:
    change = RoleChange(
        number=domain.next_change(account),
        at=clock.now(),
        by=request.asked_by,
        gives=True,
        role=request.role,
        merchant_id=request.merchant_id,
        post=request.post,
        desk=request.desk,
        token=request.request_id,
        fingerprint=request.fingerprint,
        approved_by=request.decided_by,
        sponsors=sponsors,
    )
    return domain.change_role(account, change)
