"""Routes of changing a contact and of taking that back."""

from __future__ import annotations

from chalicelib.auth import domain, service
from chalicelib.auth.codes.schemas import ShowCode
from chalicelib.auth.service import contacts
from chalicelib.auth.sessions.schemas import TokensView
from chalicelib.kernel.errors import Unauthenticated
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Routes

routes = Routes("auth")
_SMALL = 4096


def _proof(body: ShowCode) -> service.proving.Proof:
    return service.proving.Proof(domain.identity(body.contact), body.code_id, body.code)


@routes.route(
    "POST",
    "/v1/me/contacts/change",
    access=Access.SIGNED_IN,
    body=ShowCode,
    returns=TokensView,
    raises=(
        domain.BadIdentity,
        domain.IdentityTaken,
        domain.ContactHeld,
        service.BadCode,
        contacts.ContactUnchanged,
        contacts.ContactJustChanged,
        Unauthenticated,
    ),
    idempotent=False,  # The code is used up; the change stands.
    cap_bytes=_SMALL,
)
def change_contact(body: ShowCode, caller: Caller) -> TokensView:
    """Put another e-mail address or phone number in the place of yours, with a code (``verify``) that was sent there.

    Every other session ends. Who reads the one of before is told, and can take the account back for three days.
    """
    return TokensView.of(contacts.change(caller, _proof(body)))


@routes.route(
    "POST",
    "/v1/auth/contacts/take-back",
    access=Access.PUBLIC,
    body=ShowCode,
    status=204,
    raises=(domain.BadIdentity, service.BadCode, contacts.NothingToTakeBack),
    idempotent=False,  # The code is used up; what was taken back stays so.
    cap_bytes=_SMALL,
)
def take_back_contact(body: ShowCode) -> None:
    """Take an account back to the contact of before, with a code (``take_back``) that was sent there.

    Password, sessions and what was added since end; then sign in with a code.
    """
    contacts.take_back(_proof(body))
