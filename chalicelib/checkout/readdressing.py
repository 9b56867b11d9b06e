"""A buyer who has a purchase sent to another address of their book, before anything of it was sent."""

from __future__ import annotations

from chalicelib.auth import service as auth
from chalicelib.checkout.quoting import contact_of
from chalicelib.orders import service as orders
from chalicelib.orders.service import Sale
from chalicelib.runtime.intents import Intent


def change(purchase_id: str, *, account_id: str, address_id: str, intent: Intent) -> Sale:
    """Send a purchase to another address of its buyer's. What it costs stays as it was paid.

    Raises:
        NotFound: if the purchase or the address is not theirs.
        GuardianNeeded: if the book is a child's whose guardian has not agreed.
        AddressSettled: if anything of it was sent, or it was changed too often.
        ConcurrentUpdate: if it kept changing.
    """
    book = auth.addresses(account_id)
    return orders.readdress(purchase_id, account_id, contact_of(book, address_id), intent)
