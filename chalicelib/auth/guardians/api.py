"""Routes of children's accounts and their guardians. A guardian needs no account: a code to their contact is theirs."""

from __future__ import annotations

from chalicelib.auth import service
from chalicelib.auth.codes.schemas import ShowCode
from chalicelib.auth.guardians.schemas import AgeView, GuardianAgrees, GuardianSays, GuardianSaysAge, RulesView, SayAge
from chalicelib.kernel import context
from chalicelib.kernel.errors import Busy, ConcurrentUpdate, NotFound
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Routes

routes = Routes("auth")

_SMALL = 4 * 1024


def _proof(body: ShowCode) -> service.proving.Proof:
    return service.proving.Proof(service.identity(body.contact), body.code_id, body.code)


@routes.route(
    "GET",
    "/v1/minors/rules",
    access=Access.PUBLIC,
    returns=RulesView,
    cache_control="public, max-age=300",
    etag=True,
)
def get_childrens_rules() -> RulesView:
    """The rules for children's data, to be shown to a guardian, whole."""
    return RulesView.now(context.current().language)


@routes.route("GET", "/v1/me/age", access=Access.SIGNED_IN, returns=AgeView)
def get_age(caller: Caller) -> AgeView:
    """See of which age the caller said they are, and whether a guardian has to agree."""
    return AgeView.of(service.me(caller.account_id))


@routes.route(
    "PUT",
    "/v1/me/age",
    access=Access.SIGNED_IN,
    body=SayAge,
    returns=AgeView,
    raises=(service.GuardianNeeded, ConcurrentUpdate, Busy),
    cap_bytes=_SMALL,
)
def say_age(body: SayAge, caller: Caller) -> AgeView:
    """Say whether one is under 14. A child's nickname, addresses and consents go at once, until a guardian agrees."""
    return AgeView.of(service.guardians.declare(caller.account_id, body.age))


@routes.route(
    "PUT",
    "/v1/me/guardian",
    access=Access.SIGNED_IN,
    body=GuardianAgrees,
    returns=AgeView,
    raises=(
        service.BadIdentity,
        service.BadCode,
        service.NotTheirGuardian,
        service.OwnGuardian,
        service.RulesChanged,
        ConcurrentUpdate,
    ),
    cap_bytes=_SMALL,
)
def agree_as_guardian(body: GuardianAgrees, caller: Caller) -> AgeView:
    """Let a guardian agree to the rules they were shown, by a code to a contact that is not the child's."""
    return AgeView.of(service.guardians.agree(caller.account_id, _proof(body), version=body.rules_version))


@routes.route(
    "POST",
    "/v1/guardians/withdrawal",
    access=Access.PUBLIC,
    body=GuardianSays,
    status=204,
    raises=(service.BadIdentity, service.BadCode, service.NotTheirGuardian, ConcurrentUpdate),
    idempotent=False,  # The code is used up.
    cap_bytes=_SMALL,
)
def withdraw_as_guardian(body: GuardianSays) -> None:
    """Take a guardian's consent back: nothing more is bought, and the child's nickname and addresses go."""
    service.guardians.take_back(body.account_id, _proof(body))


@routes.route(
    "POST",
    "/v1/guardians/age",
    access=Access.PUBLIC,
    body=GuardianSaysAge,
    returns=AgeView,
    raises=(service.BadIdentity, service.BadCode, service.NotTheirGuardian, ConcurrentUpdate, NotFound),
    idempotent=False,  # The code is used up.
    cap_bytes=_SMALL,
)
def say_age_as_guardian(body: GuardianSaysAge) -> AgeView:
    """Say that a child is a child no more, or never was one."""
    return AgeView.of(service.guardians.outgrow(body.account_id, _proof(body), body.age))
