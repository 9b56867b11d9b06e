"""What a code opens: registering, signing in, a new password, a verified contact. Used up in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from chalicelib.auth import domain, notices, passwords, registering, store, throttles
from chalicelib.auth.codes import service as codes
from chalicelib.auth.codes.domain import BadCode, Code, CodeNeeded, ContactSet, NoAccountYet, Purpose
from chalicelib.auth.domain import Account, Identity, IdentityKind
from chalicelib.auth.identities import identity_id_of
from chalicelib.auth.passkeys import service as passkeys
from chalicelib.auth.sessions import service as sessions
from chalicelib.auth.sessions import step_up
from chalicelib.auth.sessions.domain import Device, Method
from chalicelib.kernel import clock
from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate, Unauthenticated
from chalicelib.runtime import networks
from chalicelib.runtime.config import config, setting
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Caller
from chalicelib.runtime.intents import Intent

SETTING = "BIANDAN_REGISTRATION"
OPEN = "open"


@dataclass(frozen=True, slots=True)
class Proof:
    """A code as it was typed, and which one it is."""

    contact: Identity
    code_id: str
    code: str = field(repr=False)

    def check(self, purpose: Purpose) -> Code:
        """Return the code if it is right; a wrong guess is counted.

        Raises:
            BadCode: if it is not.
        """
        return codes.check(purpose, self.contact, code_id=self.code_id, code=self.code)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What somebody says who registers."""

    password: str = field(repr=False)
    nickname: str | None = None
    language: str | None = None


def register(proof: Proof, newcomer: Newcomer, *, intent: Intent, source_ip: str = "") -> tuple[Account, bool]:
    """Make an account for a contact that was proved. Returns it, and whether this intent had made it before.

    Of a contact that has an account no code was sent, so whatever is typed is wrong, as it is for anybody else.

    Raises:
        WeakPassword: for a password that is easy to guess.
        BadCode: if the code is not right.
        IdentityTaken: if somebody else who proved this contact was faster.
        IdempotencyKeyReused: if the key registered this contact with other content.
    """
    password = passwords.chosen(newcomer.password, of=proof.contact, inputs=(newcomer.nickname or "",))

    def made(password: str) -> Account:
        return registering.new_account(
            proof.contact,
            intent,
            nickname=newcomer.nickname,
            language=newcomer.language,
            password=password,
            verified=True,
        )

    def attempt() -> tuple[Account, bool]:
        try:
            found = proof.check(Purpose.REGISTER)
        except BadCode:
            wanted = made("")
            before = store.load_account(wanted.account_id, consistent=True)
            if before is None:
                raise
            return registering.same(before, wanted, password), True  # The first try had gone through.
        account = made(password)
        try:
            written = registering.write(
                account, proof.contact, proof=lambda work: codes.use(work, found), network=networks.counted(source_ip)
            )
        except AlreadyExists as refusal:
            return registering.replayed(refusal, account, password), True
        return written, False

    return racing(attempt, losing=(ConcurrentUpdate,))


def register_openly(identity: Identity, newcomer: Newcomer, *, source_ip: str, intent: Intent) -> tuple[Account, bool]:
    """Make an account at once, for a contact that nobody proved: only where the setting says so, and never in prod.

    Whoever names a contact that has an account gets the same answer, and its owner a message.

    Raises:
        CodeNeeded: where a code is needed.
        WeakPassword, Throttled, IdempotencyKeyReused: as :func:`register`.
    """
    if setting(SETTING) != OPEN or config().stage == "prod":
        raise CodeNeeded
    password = passwords.chosen(newcomer.password, of=identity, inputs=(newcomer.nickname or "",))
    throttles.count(domain.REGISTER_BY_SOURCE, throttles.network_of(source_ip))
    throttles.count(domain.REGISTER_BY_IDENTITY, identity_id_of(identity))
    account = registering.new_account(
        identity, intent, nickname=newcomer.nickname, language=newcomer.language, password=password
    )
    try:
        return registering.write(account, identity, network=networks.counted(source_ip)), False
    except AlreadyExists as refusal:
        return registering.replayed(refusal, account, password), True
    except (domain.IdentityTaken, domain.ContactHeld):
        return account, not _tell(account, identity, "registered_already", f"register#{account.account_id}")


def sign_in(
    proof: Proof, *, create: bool, device: Device | None, source_ip: str, language: str | None
) -> sessions.Tokens:
    """Start a session for who has the contact; makes the account first where there is none and ``create`` says so.

    Raises:
        BadCode: if the code is not right.
        NoAccountYet: if there is none and none is wanted; the code still counts.
        SecondFactorNeeded: if the account has a second factor; the code is used up.
    """

    def attempt() -> sessions.Tokens:
        found = proof.check(Purpose.SIGN_IN)
        account_id = store.account_of(identity_id_of(proof.contact))
        account = store.load_account(account_id, consistent=True) if account_id else None
        if account is None and not create:
            raise NoAccountYet
        if account is None:
            made_by = Intent("code", proof.code_id, "")
            account = registering.new_account(proof.contact, made_by, nickname=None, language=language, verified=True)
            registering.write(account, proof.contact, network=networks.counted(source_ip))
            account = replace(account, version=1)
        verified = _proved(account, proof.contact)
        with UnitOfWork() as work:
            codes.use(work, found)
            if verified != account:
                work.save(store.account_row(verified), label="account")
            if verified.passkeys != account.passkeys:
                passkeys.release(work, account)
            answer = sessions.start(
                verified, device=device or Device(), source_ip=source_ip, method=Method.CODE, work=work
            )
        return sessions.given(answer)

    return racing(attempt, losing=(ConcurrentUpdate, AlreadyExists, domain.IdentityTaken))


def reset_password(proof: Proof, password: str) -> None:
    """Set a new password for the account of a proved contact; every session ends, and the owner is told.

    Raises:
        BadCode: if the code is not right; of a contact without an account none ever is.
        WeakPassword: for a password that is easy to guess.
    """
    password = passwords.chosen(password, of=proof.contact)

    def attempt() -> None:
        found = proof.check(Purpose.RESET)
        account_id = store.account_of(identity_id_of(proof.contact))
        account = store.load_account(account_id, consistent=True) if account_id else None
        if account is None:
            raise BadCode
        changed = _with_password(_proved(account, proof.contact), password)
        with UnitOfWork() as work:
            codes.use(work, found)
            work.save(store.account_row(changed), label="account")
            if changed.passkeys != account.passkeys:
                passkeys.release(work, account)
            _tell_of_change(work, changed)

    racing(attempt, losing=(ConcurrentUpdate,))


def change_password(caller: Caller, password: str) -> sessions.Tokens:
    """Set a new password for somebody signed in who has just proved who they are. Every other session ends.

    Raises:
        WeakPassword: for a password that is easy to guess.
        Unauthenticated: if the session is over.
    """

    def attempt() -> sessions.Tokens:
        account = store.load_account(caller.account_id, consistent=True)
        if account is None:
            raise Unauthenticated
        inputs = tuple(part for part in (account.email, account.phone, account.nickname) if part)
        chosen = passwords.chosen(password, inputs=inputs)
        changed = _with_password(account, chosen)
        with UnitOfWork() as work:
            kept = sessions.keep(work, caller, changed, before=account.epoch)
            work.save(store.account_row(changed), label="account")
            _tell_of_change(work, changed)
        return kept

    return racing(attempt, losing=(ConcurrentUpdate,))


def verify(caller: Caller, proof: Proof) -> Account:
    """Note that the caller's contact is theirs; one of a kind they have none of becomes theirs.

    Raises:
        BadCode: if the code is not right.
        ContactSet: if the account has another contact of this kind.
        IdentityTaken: if the contact has another account.
        Unauthenticated: if the account is gone.
    """

    def attempt() -> Account:
        found = proof.check(Purpose.VERIFY)
        account = store.load_account(caller.account_id, consistent=True)
        if account is None:
            raise Unauthenticated
        is_email = proof.contact.kind is IdentityKind.EMAIL
        held = account.email if is_email else account.phone
        if held not in (None, proof.contact.value):
            raise ContactSet
        if held is None:
            value = proof.contact.value
            account = replace(account, email=value) if is_email else replace(account, phone=value)
        changed = _verified(account, proof.contact)
        with UnitOfWork() as work:
            codes.use(work, found)
            work.save(store.account_row(changed), label="account")
            if held is None:
                store.add_identity(work, identity_id_of(proof.contact), changed.account_id)
        return replace(changed, version=changed.version + 1)

    return racing(attempt, losing=(ConcurrentUpdate,))


def prove(caller: Caller, proof: Proof) -> str:
    """Note that the caller has just proved who they are by a code to their own verified contact; returns the new token.

    Raises:
        BadCode: if the code is not right, or the contact is not theirs.
        Unauthenticated: if the session is over.
    """

    def attempt() -> None:
        found = proof.check(Purpose.PROVE)
        account = store.load_account(caller.account_id, consistent=True)
        if account is None or proof.contact not in _verified_contacts(account):
            raise BadCode
        with UnitOfWork() as work:
            codes.use(work, found)

    racing(attempt, losing=(ConcurrentUpdate,))
    return step_up.proved(caller, Method.CODE)


def _verified_contacts(account: Account) -> list[Identity]:
    pairs = (
        (IdentityKind.EMAIL, account.email, account.email_verified_at),
        (IdentityKind.PHONE, account.phone, account.phone_verified_at),
    )
    return [Identity(kind, value) for kind, value, verified_at in pairs if value and verified_at]


def _proved(account: Account, contact: Identity) -> Account:
    """Return the account of a contact that was proved. What else opens one without a proved contact ends here.

    Somebody else may have registered the contact with a password of theirs, added a passkey or their own person at
    QQ or WeChat, and waited for its owner.
    """
    verified = _verified(account, contact)
    if account.password_hash and not _verified_contacts(account):
        return replace(verified, password_hash="", epoch=account.epoch + 1, links=(), passkeys=())
    return verified


def _verified(account: Account, contact: Identity) -> Account:
    now = clock.now()
    if contact.kind is IdentityKind.EMAIL:
        return account if account.email_verified_at else replace(account, email_verified_at=now)
    return account if account.phone_verified_at else replace(account, phone_verified_at=now)


def _with_password(account: Account, password: str) -> Account:
    return replace(account, password_hash=passwords.hashed(password), epoch=account.epoch + 1)


def _tell_of_change(work: UnitOfWork, account: Account) -> None:
    notices.tell(work, account, "password_changed", f"password#{account.account_id}#{account.epoch}")


def _tell(account: Account, contact: Identity, template: str, fact: str) -> bool:
    """Send a notice; says whether it is the first about this fact."""
    try:
        with UnitOfWork() as work:
            notices.tell_at(work, contact, account.language, template, fact=fact)
    except AlreadyExists:
        return False
    return True
