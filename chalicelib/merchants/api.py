"""Routes of merchants."""

from __future__ import annotations

from chalicelib.kernel.errors import CurrencyMismatch, IdempotencyKeyReused, NotFound
from chalicelib.merchants import domain, service
from chalicelib.merchants.schemas import ChangeMerchant, ChangeProfile, CreateMerchant, MerchantView, ProfileView
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent

routes = Routes("merchants")


@routes.route(
    "GET",
    "/v1/merchants/{merchant_id}",
    access=Access.PUBLIC,
    returns=MerchantView,
    raises=(NotFound,),
    cache_control="public, max-age=60",
    etag=True,
)
def get_merchant(merchant_id: str) -> MerchantView:
    """Return what everybody may know of a merchant."""
    return MerchantView.of(service.load(merchant_id))


@routes.route("GET", "/v1/merchant/profile", access=Access.MERCHANT, returns=ProfileView)
def get_profile(caller: Caller) -> ProfileView:
    """Return the merchant that the caller works for."""
    return ProfileView.of(service.load(caller.owned_merchant()))


@routes.route(
    "PATCH",
    "/v1/merchant/profile",
    access=Access.MERCHANT,
    body=ChangeProfile,
    returns=ProfileView,
    raises=(domain.BadTerms, CurrencyMismatch),
)
def change_profile(body: ChangeProfile, caller: Caller) -> ProfileView:
    """Change freight, contact and presentation of the merchant that the caller works for."""
    return ProfileView.of(service.change(caller.owned_merchant(), body.changes()))


@routes.route(
    "POST",
    "/v1/operator/merchants",
    access=Access.OPERATOR,
    body=CreateMerchant,
    returns=ProfileView,
    status=201,
    raises=(domain.BadTerms, CurrencyMismatch, IdempotencyKeyReused),
)
def create_merchant(body: CreateMerchant, intent: Intent) -> Reply:
    """Create a merchant."""
    merchant, before = service.create(body.merchant(), intent=intent)
    return Reply(ProfileView.of(merchant), 201, replayed_header(before))


@routes.route(
    "GET", "/v1/operator/merchants/{merchant_id}", access=Access.OPERATOR, returns=ProfileView, raises=(NotFound,)
)
def get_merchant_as_operator(merchant_id: str) -> ProfileView:
    """Return everything about a merchant."""
    return ProfileView.of(service.load(merchant_id))


@routes.route(
    "PATCH",
    "/v1/operator/merchants/{merchant_id}",
    access=Access.OPERATOR,
    body=ChangeMerchant,
    returns=ProfileView,
    raises=(NotFound, domain.BadTerms, CurrencyMismatch),
)
def change_merchant(merchant_id: str, body: ChangeMerchant) -> ProfileView:
    """Change a merchant; ``status`` suspends or reinstates it."""
    return ProfileView.of(service.change(merchant_id, body.changes()))
