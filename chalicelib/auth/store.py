"""Rows of accounts, address books, identities and throttles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, cast

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.auth.domain import (
    Account,
    Address,
    AddressBook,
    ContactHeld,
    Former,
    IdentityTaken,
    Limit,
    Link,
    RoleChange,
)
from chalicelib.auth.employment import Employments
from chalicelib.kernel import clock
from chalicelib.kernel.errors import AlreadyExists, Busy, ConcurrentUpdate, Throttled
from chalicelib.kernel.roles import Desk, Role
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.lookups import Found, Lookup
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import DocumentAttribute, Row, SealedDocument, region
from chalicelib.runtime.db.work import UnitOfWork

T = TypeVar("T")
ACCOUNT, ADDRESSES = "account", "addresses"


@dataclass(frozen=True, slots=True)
class _Person:
    """The personal half of an account."""

    created_at: datetime
    language: str
    email: str | None = None
    phone: str | None = None
    nickname: str | None = None
    phone_verified_at: datetime | None = None
    email_verified_at: datetime | None = None
    age: str = ""
    guardian: str = ""
    guarded_at: datetime | None = None
    guardian_rules: int = 0


@dataclass(frozen=True, slots=True)
class _Book:
    addresses: tuple[Address, ...] = ()
    default_id: str | None = None
    fingerprints: dict[str, str] | None = None
    deleted: tuple[str, ...] = ()
    held_back: bool = False


class AccountRow(Row):
    """Key: account_id, ``account``."""

    class Meta:
        table_name = names.table_name("accounts")
        region = region()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    person = SealedDocument[_Person](_Person)
    password_hash = UnicodeAttribute()
    roles = DocumentAttribute[tuple[Role, ...]](tuple[Role, ...])
    merchant_id = UnicodeAttribute(null=True)
    posts = DocumentAttribute[Employments](Employments, null=True)
    desks = DocumentAttribute[tuple[Desk, ...]](tuple[Desk, ...], null=True)
    epoch = NumberAttribute()
    ended = DocumentAttribute[dict[str, int]](dict[str, int], null=True)
    history = DocumentAttribute[tuple[RoleChange, ...]](tuple[RoleChange, ...], null=True)
    links = DocumentAttribute[tuple[Link, ...]](tuple[Link, ...], null=True)
    former = DocumentAttribute[tuple[Former, ...]](tuple[Former, ...], null=True)
    passkeys = DocumentAttribute[tuple[str, ...]](tuple[str, ...], null=True)
    second_factor = UnicodeAttribute(null=True)
    fingerprint = UnicodeAttribute(null=True)


class AddressBookRow(Row):
    """Key: account_id, ``addresses``: the whole book, at most 20 addresses of some 300 bytes."""

    class Meta:
        table_name = names.table_name("accounts")
        region = region()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    book = SealedDocument[_Book](_Book)


class IdentityRow(Row):
    """Key: the identity's keyed digest. Makes it unique and leads from it to the account; holds no personal data.

    With ``until_ms`` it leads nowhere any more: the account was changed away from it, and it is held for being taken
    back until then. Afterwards anybody may have it.
    """

    class Meta:
        table_name = names.table_name("identities")
        region = region()

    identity_id = UnicodeAttribute(hash_key=True)
    account_id = UnicodeAttribute()
    until_ms = NumberAttribute(null=True)
    expires = TTLAttribute(null=True)


class ThrottleRow(Row):
    """Key: ``thr_`` and the digest of scope, subject and window. DynamoDB's TTL collects it after the window."""

    class Meta:
        table_name = names.table_name("identities")
        region = region()

    identity_id = UnicodeAttribute(hash_key=True)
    attempts = NumberAttribute()
    expires = TTLAttribute()


# --- accounts ---------------------------------------------------------------------------------------------------


def account_row(account: Account) -> AccountRow:
    """Return the row of an account."""
    return AccountRow(
        account_id=account.account_id,
        id=ACCOUNT,
        person=_Person(
            account.created_at,
            account.language,
            account.email,
            account.phone,
            account.nickname,
            account.phone_verified_at,
            account.email_verified_at,
            account.age,
            account.guardian,
            account.guarded_at,
            account.guardian_rules,
        ),
        password_hash=account.password_hash,
        roles=_kept_roles(account),
        merchant_id=account.merchant_id,
        posts=account.posts or None,
        desks=account.desks or None,
        epoch=account.epoch,
        ended=account.ended or None,
        history=account.history or None,
        links=account.links or None,
        former=account.former or None,
        passkeys=account.passkeys or None,
        second_factor=account.second_factor or None,
        fingerprint=account.fingerprint or None,
        version=account.version,
    )


def _kept_roles(account: Account) -> tuple[Role, ...]:
    """Return the roles that the row names: of an operator who is no admin, and of staff that owns nothing, none.

    Code from before there were posts and desks reads nothing else, and what it writes back has lost them: so it takes
    nobody for more than they are, not even for the minutes of a deployment.
    """
    less = set()
    if Desk.ADMIN not in account.at_desks:
        less.add(Role.OPERATOR)
    if account.merchant_id is None:
        less.add(Role.MERCHANT_STAFF)
    return tuple(role for role in account.roles if role not in less)


def _roles(row: AccountRow) -> tuple[Role, ...]:
    more = {Role.OPERATOR} if row.desks else set()
    more |= {Role.MERCHANT_STAFF} if row.posts else set()
    return tuple(role for role in Role if role in more or role in row.roles)


def account_of_row(row: AccountRow) -> Account:
    """Return the account that a row keeps."""
    person = row.person
    return Account(
        account_id=row.account_id,
        created_at=person.created_at,
        email=person.email,
        phone=person.phone,
        phone_verified_at=person.phone_verified_at,
        nickname=person.nickname,
        email_verified_at=person.email_verified_at,
        language=person.language,
        age=person.age,
        guardian=person.guardian,
        guarded_at=person.guarded_at,
        guardian_rules=person.guardian_rules,
        roles=_roles(row),
        merchant_id=row.merchant_id,
        posts=row.posts or (),
        desks=row.desks or (),
        epoch=int(row.epoch),
        ended=row.ended or {},
        history=row.history or (),
        links=row.links or (),
        former=row.former or (),
        passkeys=row.passkeys or (),
        second_factor=row.second_factor or "",
        password_hash=row.password_hash,
        fingerprint=row.fingerprint or "",
        version=int(row.version),
    )


def load_account(account_id: str, *, consistent: bool = False) -> Account | None:
    """Read one account."""
    row = reads.get(AccountRow, account_id, ACCOUNT, consistent=consistent)
    return account_of_row(row) if row is not None else None


def account_lookup(account_id: str, make: Callable[[Account | None], T]) -> Lookup[T]:
    """Say how one account is read as it is now, for whoever reads more in the same call, and what is made of it."""

    def made(found: Found) -> T:
        row = found.row(AccountRow, account_id, ACCOUNT)
        return make(account_of_row(row) if row is not None else None)

    return Lookup.of([(AccountRow, account_id, ACCOUNT)], made, consistent=True)


def load_accounts(account_ids: Iterable[str]) -> dict[str, Account]:
    """Read several accounts as they are now, in one call; those that are not there are absent."""
    found = reads.get_many([(AccountRow, account_id, ACCOUNT) for account_id in account_ids], consistent=True)
    return {key: account_of_row(cast("AccountRow", row)) for (key, _), row in found.items()}


def existing_account(refusal: AlreadyExists) -> Account:
    """Return the account that a refused creation met."""
    return account_of_row(AccountRow.from_raw_data(refusal.params["item"]))


def account_of(identity_id: str) -> str | None:
    """Return the id of the account that has this identity; one that is but held leads nowhere."""
    row = reads.get(IdentityRow, identity_id, consistent=True)
    return row.account_id if row is not None and row.until_ms is None else None


def held_for(identity_id: str) -> str | None:
    """Return the id of the account that had this identity, and may be taken back by it."""
    row = reads.get(IdentityRow, identity_id, consistent=True)
    if row is None or row.until_ms is None or clock.now() >= clock.from_epoch_ms(row.until_ms):
        return None
    return str(row.account_id)


def identity_rows(account_id: str, identity_ids: Iterable[str]) -> list[Row]:
    """Return those rows of these identities that are there and lead to no other account, to be deleted."""
    found = reads.get_many([(IdentityRow, one, None) for one in identity_ids], consistent=True)
    return [row for row in found.values() if cast("IdentityRow", row).account_id in (None, account_id)]


def drop_rest(account_id: str) -> None:
    """Delete whatever lies beside an account in its partition: its second factors, and what other wings keep there."""
    for raw in reads.query_items(AccountRow, account_id, consistent=True):
        if raw["id"]["S"] != ACCOUNT:
            with UnitOfWork() as work:
                version = int(raw.get("version", {"N": "0"})["N"])
                work.delete(AccountRow(account_id=account_id, id=raw["id"]["S"], version=version), label="rest")


def add_account(work: UnitOfWork, account: Account, identity_id: str, **options: object) -> None:
    """Create account and identity in one transaction; refused as :func:`add_identity`."""
    work.save(account_row(account), label="account", **options)  # type: ignore[arg-type]
    add_identity(work, identity_id, account.account_id)


def add_identity(work: UnitOfWork, identity_id: str, account_id: str) -> None:
    """Let an identity lead to an account: one that nobody has, or that is held no more.

    Refused as ``IdentityTaken`` if somebody has it, as ``ContactHeld`` while it is held.
    """
    now_ms = clock.epoch_ms(clock.now())
    work.update(
        IdentityRow(identity_id=identity_id),
        [IdentityRow.account_id.set(account_id), IdentityRow.until_ms.remove(), IdentityRow.expires.remove()],
        condition=IdentityRow.account_id.does_not_exist() | (IdentityRow.until_ms <= now_ms),
        refuse=_taken,
        label="identity",
        guarded=True,
    )


def _taken(item: dict[str, dict[str, str]] | None) -> Exception:
    until = (item or {}).get("until_ms", {}).get("N")
    if until is None:
        return IdentityTaken()
    return ContactHeld(until=clock.from_epoch_ms(int(until)).isoformat(timespec="seconds"))


def hold_identity(work: UnitOfWork, identity_id: str, account_id: str, *, until: datetime) -> None:
    """Let an account's identity lead nowhere any more, and hold it until then."""
    work.update(
        IdentityRow(identity_id=identity_id),
        [IdentityRow.until_ms.set(clock.epoch_ms(until)), IdentityRow.expires.set(until)],
        condition=(IdentityRow.account_id == account_id) & IdentityRow.until_ms.does_not_exist(),
        refuse=lost,
        label="held",
        guarded=True,
    )


def return_identity(work: UnitOfWork, identity_id: str, account_id: str) -> None:
    """Let a held identity lead to its account again."""
    work.update(
        IdentityRow(identity_id=identity_id),
        [IdentityRow.until_ms.remove(), IdentityRow.expires.remove()],
        condition=(IdentityRow.account_id == account_id) & (IdentityRow.until_ms > clock.epoch_ms(clock.now())),
        refuse=lost,
        label="held",
        guarded=True,
    )


# --- throttles --------------------------------------------------------------------------------------------------


def count(limit: Limit, throttle_id: str, *, now: datetime) -> None:
    """Count one attempt, atomically.

    Raises:
        Throttled: if the window is full; the attempt is not counted.
    """
    _, ends_at = limit.window(now)
    wait_s = max(1, clock.epoch_s(ends_at) - clock.epoch_s(now))
    with UnitOfWork() as work:
        work.update(
            ThrottleRow(identity_id=throttle_id),
            [ThrottleRow.attempts.add(1), ThrottleRow.expires.set(ends_at)],
            condition=ThrottleRow.attempts.does_not_exist() | (ThrottleRow.attempts < limit.attempts),
            refuse=lambda _: Throttled(wait_s=wait_s),
            guarded=True,  # An unanswered count may be repeated: counting one attempt twice errs on the safe side.
        )


def counted(throttle_id: str) -> int:
    """Return how much is counted, about: a read that may be a moment old is enough to judge a crowd by."""
    row = reads.get(ThrottleRow, throttle_id)
    return int(row.attempts) if row is not None else 0


def count_on(throttle_id: str, limit: Limit, *, now: datetime) -> None:
    """Count one more, without a limit."""
    _, ends_at = limit.window(now)
    with UnitOfWork() as work:
        work.update(
            ThrottleRow(identity_id=throttle_id),
            [ThrottleRow.attempts.add(1), ThrottleRow.expires.set(ends_at)],
            condition=ThrottleRow.attempts.does_not_exist() | (ThrottleRow.attempts >= 0),
            refuse=lost,
            guarded=True,
        )


def first_use(mark: str, *, ends_at: datetime) -> bool:
    """Remember that something was used up; says whether this was the first time."""
    try:
        with UnitOfWork() as work:
            work.save(ThrottleRow(identity_id=mark, attempts=1, expires=ends_at), label="used")
    except AlreadyExists:
        return False
    return True


def give_back(throttle_id: str) -> None:
    """Take one counted attempt back. Where that fails it stays counted: nobody's sign-in fails for it."""
    with suppress(Busy, ConcurrentUpdate), UnitOfWork() as work:
        work.update(
            ThrottleRow(identity_id=throttle_id),
            [ThrottleRow.attempts.add(-1)],
            condition=ThrottleRow.attempts > 0,
            refuse=lost,
        )


# --- addresses --------------------------------------------------------------------------------------------------


def book_row(book: AddressBook) -> AddressBookRow:
    """Return the row of an address book."""
    return AddressBookRow(
        account_id=book.account_id,
        id=ADDRESSES,
        book=_Book(book.addresses, book.default_id, book.fingerprints, book.deleted, book.held_back),
        version=book.version,
    )


def load_book(account_id: str) -> AddressBook:
    """Read an address book as it is now; an account that never kept an address has an empty one."""
    return book(account_id).read()


def book(account_id: str) -> Lookup[AddressBook]:
    """Say how an address book is read: as it is now, for a parcel must not go to the address before the last."""
    return Lookup.of(
        [(AddressBookRow, account_id, ADDRESSES)],
        lambda found: _book(account_id, found.row(AddressBookRow, account_id, ADDRESSES)),
        consistent=True,
    )


def _book(account_id: str, row: AddressBookRow | None) -> AddressBook:
    if row is None:
        return AddressBook(account_id=account_id)
    kept = row.book
    return AddressBook(
        account_id=account_id,
        addresses=kept.addresses,
        default_id=kept.default_id,
        fingerprints=kept.fingerprints or {},
        deleted=kept.deleted,
        version=int(row.version),
        held_back=kept.held_back,
    )
