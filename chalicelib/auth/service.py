"""Use cases of accounts, sign-in, sessions, roles and address books, and what other capabilities ask of them."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.auth import (
    accounts,
    devices,
    domain,
    passwords,
    registering,
    standing,
    store,
    throttles,
    tokens,
)
from chalicelib.auth.challenges import Solved
from chalicelib.auth.codes import proving
from chalicelib.auth.codes import service as codes
from chalicelib.auth.codes.domain import BadCode, CodeNeeded, ContactSet, NoAccountYet, Purpose
from chalicelib.auth.contacts import service as contacts
from chalicelib.auth.domain import Account, Address, AddressBook, BadIdentity, GuardianNeeded, Link, identity
from chalicelib.auth.external import service as external
from chalicelib.auth.factors.domain import SecondFactorRequired, TotpEnrolled, TotpMissing
from chalicelib.auth.factors.service import (
    Factors,
    begin_totp,
    confirm_totp,
    factors,
    finish_sign_in,
    prove_by_totp,
    remove_totp,
    renew_recovery,
)
from chalicelib.auth.first_order import VerifiedPhoneNeeded, may_order
from chalicelib.auth.forgetting import blank, holds_office, identity_ids
from chalicelib.auth.guardians import domain as guardians_domain
from chalicelib.auth.guardians import service as guardians
from chalicelib.auth.guardians.domain import Age, NotTheirGuardian, OwnGuardian, RulesChanged
from chalicelib.auth.identities import identity_id_of
from chalicelib.auth.keys import service as keys
from chalicelib.auth.notices import tell_person
from chalicelib.auth.open_step import ChallengeOver
from chalicelib.auth.passkeys import service as passkeys
from chalicelib.auth.sessions.domain import (
    BadRefreshToken,
    Device,
    FreshProofNeeded,
    Method,
    SecondFactorNeeded,
    Session,
    WrongProof,
)
from chalicelib.auth.sessions.service import (
    Tokens,
    all_sessions,
    caller_as,
    drop_all,
    given,
    refresh,
    sessions,
    sign_out,
    sign_out_everywhere,
    start,
)
from chalicelib.auth.sessions.service import revoke as revoke_session
from chalicelib.auth.sessions.step_up import prove_by_password, require_fresh
from chalicelib.auth.staff import service as staff
from chalicelib.auth.staff import staffing
from chalicelib.auth.staff.requests import (
    ask_role,
    check_second_person,
    decide_role,
    operator_of,
    role_request,
    role_requests,
)
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import AlreadyExists, NotFound, Unauthenticated
from chalicelib.kernel.roles import Desk, Post, Role
from chalicelib.runtime import metrics
from chalicelib.runtime.db.lookups import Lookup
from chalicelib.runtime.db.races import lost, racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Caller
from chalicelib.runtime.intents import Intent, system_intent

__all__ = [
    "ACCESS_SECONDS",
    "Account",
    "Address",
    "AddressBook",
    "Age",
    "BadCode",
    "BadIdentity",
    "BadRefreshToken",
    "ChallengeOver",
    "CodeNeeded",
    "ContactSet",
    "Device",
    "Factors",
    "FreshProofNeeded",
    "GuardianNeeded",
    "Link",
    "NoAccountYet",
    "NotTheirGuardian",
    "OwnGuardian",
    "Purpose",
    "Role",
    "RulesChanged",
    "SecondFactorNeeded",
    "SecondFactorRequired",
    "Session",
    "Solved",
    "Tokens",
    "TotpEnrolled",
    "TotpMissing",
    "VerifiedPhoneNeeded",
    "WrongProof",
    "all_sessions",
    "ask_role",
    "begin_totp",
    "caller_as",
    "check_second_person",
    "codes",
    "confirm_totp",
    "contacts",
    "decide_role",
    "external",
    "factors",
    "finish_sign_in",
    "forget",
    "guardians",
    "holds_office",
    "identity",
    "identity_ids",
    "keys",
    "may_order",
    "operator_of",
    "passkeys",
    "prove_by_password",
    "prove_by_totp",
    "proving",
    "refresh",
    "remove_totp",
    "renew_recovery",
    "require_fresh",
    "revoke_session",
    "role_request",
    "role_requests",
    "sessions",
    "sign_out",
    "sign_out_everywhere",
    "staff",
    "tell_person",
]

ACCESS_SECONDS = int(tokens.LIFE.total_seconds())
_NOBODY_ID = "acc_" + "0" * 26
"""The account that is read for an identity nobody has, so that it costs what a known one costs."""


def authenticate(token: str) -> Caller:
    """Return who an access token speaks for.

    Raises:
        Unauthenticated: if it is not valid now.
    """
    return tokens.caller_of(token)


def merchants_of(account: Account) -> set[str]:
    """Return the merchants whose side the account may be on: it works for them, or did not long ago."""
    return standing.merchants_of(account, now=clock.now())


def jwks() -> dict[str, list[dict[str, str]]]:
    """Return the public signing keys."""
    return tokens.jwks()


# --- registering and signing in ---------------------------------------------------------------------------------


def register(
    who: str, password: str, *, intent: Intent, nickname: str | None = None, language: str | None = None
) -> tuple[Account, bool]:
    """Create an account without asking anybody: for tools. Returns it, and whether this intent had created it before.

    Raises:
        BadIdentity, WeakPassword: for input that cannot be registered.
        IdentityTaken: if the identity has an account.
        IdempotencyKeyReused: if the key registered this identity with other content.
    """
    identity = domain.identity(who)
    password = passwords.chosen(password, of=identity, inputs=(nickname or "",))
    account = registering.new_account(
        identity, intent, nickname=nickname, language=language, password=password, verified=True
    )
    try:
        return registering.write(account, identity), False
    except AlreadyExists as refusal:
        return registering.replayed(refusal, account, password), True


def sign_in(
    who: str, password: str, *, source_ip: str, device: Device | None = None, solved: Solved | None = None
) -> Tokens:
    """Check identity and password and start a session.

    An unknown identity takes the same steps as a wrong password, and gets the same answer. With the token that an
    earlier sign-in of this account gave its device, its owner gets in beyond the limits of everybody else.

    Raises:
        BadIdentity: if it is neither e-mail address nor phone number.
        ChallengeNeeded: after too many failures for this identity, from this network or from anywhere, or on this
            device; with the challenge solved one more attempt is open.
        BadCredentials: if the two do not belong together.
        SecondFactorNeeded: if they do, and the account has a second factor.
    """
    identity_id = identity_id_of(domain.identity(who))
    account = store.load_account(store.account_of(identity_id) or _NOBODY_ID, consistent=True)
    device = device or Device()
    known = devices.known(device.token)
    owned = known is not None and account is not None and known.account_id == account.account_id
    password = domain.spelled(password)
    network = throttles.network_of(source_ip)
    device_id = known.device_id if known and owned else None
    with throttles.signing_in(identity_id, network, device_id, solved) as attempt:
        matched = passwords.matches((account.password_hash if account else "") or passwords.NOBODY, password)
        if account is None or not matched:
            metrics.count("sign_ins_refused")
            raise domain.BadCredentials
        attempt.succeeded()
        with UnitOfWork() as work:
            answer = start(account, device=device, source_ip=source_ip, method=Method.PASSWORD, work=work)
            if passwords.outdated(account.password_hash):
                work.save(
                    store.account_row(replace(account, password_hash=passwords.hashed(password))), label="account"
                )
    return given(answer)


# --- leaving ----------------------------------------------------------------------------------------------------


def forget(account_id: str) -> bool:
    """Blank the account, free its identities, drop all that is kept of it; returns whether anything was there."""
    blanked = blank(account_id)
    drop_all(account_id)
    store.drop_rest(account_id)
    return blanked


# --- the account ------------------------------------------------------------------------------------------------


def me(account_id: str) -> Account:
    """Return the caller's account.

    Raises:
        Unauthenticated: if the account is gone though its token still lives.
    """
    # The cheap read may not have seen a registration of a moment ago.
    account = store.load_account(account_id) or store.load_account(account_id, consistent=True)
    if account is None:
        raise Unauthenticated
    return account


def update_me(account_id: str, changes: dict[str, str | None]) -> Account:
    """Change nickname (None removes it) and language; what ``changes`` does not name stays.

    Raises:
        GuardianNeeded: for a nickname of a child whose guardian has not agreed.
    """

    def apply(account: Account) -> Account:
        if changes.get("nickname") and guardians_domain.is_held_back(account):
            raise GuardianNeeded
        return replace(
            account,
            nickname=changes.get("nickname", account.nickname),
            language=changes.get("language") or account.language,
        )

    return accounts.change(account_id, apply)


# --- roles ------------------------------------------------------------------------------------------------------


def account_with(who: str) -> Account:
    """Return the account that has this identity: for an operator's tool.

    Raises:
        BadIdentity, NotFound: if it is no identity, or nobody's.
    """
    account_id = store.account_of(identity_id_of(domain.identity(who)))
    account = store.load_account(account_id, consistent=True) if account_id else None
    if account is None:
        raise NotFound(what="account")
    return account


def grant(
    account_id: str,
    role: Role,
    merchant_id: str | None = None,
    *,
    post: Post | None = None,
    desk: Desk | None = None,
    by: str = "system",
    intent: Intent | None = None,
) -> Account:
    """Give an account a role; a merchant's staff needs the merchant. What is there already stays.

    Without a post somebody new is owner, without a desk admin. For tools: an operator asks another one, see
    ``auth.staff.requests``, and a merchant's owner invites, see ``auth.staff.people``. Takes effect within a minute.

    Raises:
        NotFound: if there is no such account, or no such merchant.
        BadGrant, StaffElsewhere, OperatorNotStaff: if the role cannot be given like that.
    """
    if role is Role.MERCHANT_STAFF and merchant_id is not None:
        staffing.check_merchant(merchant_id)
    return staffing.change(
        account_id,
        role,
        merchant_id,
        gives=True,
        post=post,
        desk=desk,
        by=by,
        intent=intent or system_intent(ids.random_bytes(16).hex()),
    )


def has_role(account: Account, role: Role, merchant_id: str | None) -> bool:
    """Say whether an account has a role, of a merchant's staff at this merchant."""
    if role is Role.MERCHANT_STAFF:
        return any(one.merchant_id == merchant_id for one in account.employments)
    return role in account.roles


def account(account_id: str) -> Account:
    """Return an account as it is now.

    Raises:
        NotFound: if there is none.
    """
    return staffing.loaded(account_id)


def revoke(
    account_id: str, role: Role, merchant_id: str | None = None, *, desk: Desk | None = None, by: str = "system"
) -> Account:
    """Take a role from an account: at one merchant or desk, or everywhere. What is not there is not missed.

    Raises:
        NotFound: if there is no such account.
        BadGrant: for the role that everybody has.
    """
    intent = system_intent(ids.random_bytes(16).hex())
    return staffing.change(account_id, role, merchant_id, gives=False, post=None, desk=desk, by=by, intent=intent)


# --- addresses --------------------------------------------------------------------------------------------------


def addresses(account_id: str) -> AddressBook:
    """Return the whole address book."""
    return store.load_book(account_id)


def addresses_lookup(account_id: str) -> Lookup[AddressBook]:
    """Say how the whole address book is read, for whoever reads more in the same call."""
    return store.book(account_id)


def add_address(account_id: str, new: Address, *, as_default: bool, intent: Intent) -> tuple[AddressBook, bool]:
    """Add an address. Returns the book, and whether this intent had added it before.

    ``new.address_id`` is the intent's.

    Raises:
        BadAddress, AddressBookFull: if it cannot be kept.
        IdempotencyKeyReused: if the key added another address.
        NotFound: if the key added an address that is deleted by now.
    """

    def attempt() -> tuple[AddressBook, bool]:
        book = store.load_book(account_id)
        fingerprint = book.fingerprints.get(new.address_id)
        if fingerprint is not None:
            intent.check(fingerprint)
            return book, True
        return _save_book(book.add(new, fingerprint=intent.fingerprint, as_default=as_default)), False

    return racing(attempt)


def put_address(account_id: str, changed: Address, *, as_default: bool) -> AddressBook:
    """Replace an address.

    Raises:
        NotFound, BadAddress: if it is not theirs, or not deliverable.
    """
    return racing(lambda: _save_book(store.load_book(account_id).put(changed, as_default=as_default)))


def remove_address(account_id: str, address_id: str) -> None:
    """Delete an address.

    Raises:
        NotFound: if it is not theirs.
    """
    racing(lambda: _save_book(store.load_book(account_id).remove(address_id)))


def _save_book(book: AddressBook) -> AddressBook:
    with UnitOfWork() as work:
        work.save(store.book_row(book), refuse=lost, label="addresses")
    return replace(book, version=book.version + 1)
