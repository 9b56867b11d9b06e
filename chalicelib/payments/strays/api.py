"""Routes of strays: what fits nothing of ours, and whose it is."""

from __future__ import annotations

from chalicelib.kernel.errors import ConcurrentUpdate, IdempotencyKeyReused, IllegalTransition
from chalicelib.kernel.second_person import AskerGone, KinApproval
from chalicelib.payments import service
from chalicelib.payments.domain.approval import DayLimitReached
from chalicelib.payments.domain.payment import ProviderSilent
from chalicelib.payments.service import ReturnNeedsTwo, StrayNotFound
from chalicelib.payments.strays.schemas import SettleStray, StrayView
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent

routes = Routes("payments")


@routes.route(
    "GET",
    "/v1/operator/strays/{stray_id}",
    access=Access.OPERATOR,
    returns=StrayView,
    raises=(StrayNotFound,),
)
def get_stray(stray_id: str) -> StrayView:
    """Read a genuine word of a provider that fits nothing of ours."""
    return StrayView.of(service.stray(stray_id))


@routes.route(
    "POST",
    "/v1/operator/strays/{stray_id}/settle",
    access=Access.OPERATOR,
    body=SettleStray,
    returns=StrayView,
    raises=(
        StrayNotFound,
        IllegalTransition,
        ReturnNeedsTwo,
        DayLimitReached,
        KinApproval,
        AskerGone,
        ProviderSilent,
        ConcurrentUpdate,
        IdempotencyKeyReused,
    ),
)
def settle_stray(stray_id: str, body: SettleStray, caller: Caller, intent: Intent) -> Reply:
    """Say whose money in suspense is, have the provider asked about it again, or mark an event as seen."""
    found, replayed = service.settle_stray(stray_id, how=body.how, by=caller.account_id, note=body.note, intent=intent)
    return Reply(StrayView.of(found), 200, replayed_header(replayed))
