from __future__ import annotations

from chalicelib.auth import service as auth
from chalicelib.merchants import service as merchants
from tests.support import people


def test_people_have_accounts_and_tokens_that_verify(cloud: str) -> None:
    shop = people.merchant()
    account_id, token = people.staff(shop.merchant_id)

    caller = auth.authenticate(token)
    assert (caller.account_id, caller.merchant_id) == (account_id, shop.merchant_id)
    assert caller.roles == {"buyer", "merchant_staff"}
    assert auth.me(account_id).roles == ("buyer", "merchant_staff")
    assert auth.authenticate(people.buyer().token).roles == {"buyer"}
    assert auth.authenticate(people.operator().token).roles == {"buyer", "operator"}
    assert merchants.terms([shop.merchant_id, "mer_none"])[shop.merchant_id].freight.minor == 800
