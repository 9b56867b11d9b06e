"""Routes of a merchant's keys: its owners make, list, rotate and revoke them."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.auth.keys.schemas import KeyShownView, KeysView, KeyView, MakeKey, RotateKey
from chalicelib.auth.service import keys
from chalicelib.kernel import clock
from chalicelib.kernel.errors import ConcurrentUpdate, IdempotencyKeyReused, NotFound
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent

routes = Routes("auth")
_SMALL = 4096


@routes.route("GET", "/v1/merchant/keys", access=Access.MERCHANT, returns=KeysView)
def list_keys(caller: Caller) -> KeysView:
    """List the keys of the merchant's own systems, with the hour of their last use; no secrets."""
    now = clock.now()
    return KeysView(items=[KeyView.of(one, now) for one in keys.listed(caller.owned_merchant())])


@routes.route(
    "POST",
    "/v1/merchant/keys",
    access=Access.MERCHANT,
    body=MakeKey,
    returns=KeyShownView,
    status=201,
    raises=(NotFound, keys.TooManyKeys, ConcurrentUpdate, IdempotencyKeyReused),
    cap_bytes=_SMALL,
)
def make_key(body: MakeKey, caller: Caller, intent: Intent) -> Reply:
    """Make a key for a system of the merchant's own. It is shown this once; it dies if its maker stops being owner.

    The system sends it as `Authorization: Key bdk_...` and may what its scopes allow, each named `x-key-scope` here.
    """
    made, shown = keys.make(caller.owned_merchant(), body.wanted(), by=caller.account_id, intent=intent)
    return Reply(KeyShownView.showing(made, shown, clock.now()), 201, replayed_header(shown is None))


@routes.route(
    "POST",
    "/v1/merchant/keys/{key_id}/rotate",
    access=Access.MERCHANT,
    body=RotateKey,
    returns=KeyShownView,
    raises=(NotFound, keys.TooManyKeys, ConcurrentUpdate, IdempotencyKeyReused),
    cap_bytes=_SMALL,
)
def rotate_key(key_id: str, body: RotateKey, caller: Caller, intent: Intent) -> Reply:
    """Give a key another secret, shown this once. The one from before counts for the overlap, a day by default."""
    rotated, shown = keys.rotate(
        caller.owned_merchant(),
        key_id,
        overlap=timedelta(seconds=body.overlap_s),
        lasts=timedelta(days=body.days),
        by=caller.account_id,
        intent=intent,
    )
    return Reply(KeyShownView.showing(rotated, shown, clock.now()), 200, replayed_header(shown is None))


@routes.route(
    "DELETE",
    "/v1/merchant/keys/{key_id}",
    access=Access.MERCHANT,
    status=204,
    raises=(NotFound, ConcurrentUpdate),
)
def revoke_key(key_id: str, caller: Caller) -> None:
    """Let a key open nothing from this call on."""
    keys.revoke(caller.owned_merchant(), key_id, by=caller.account_id)
