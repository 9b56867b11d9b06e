"""A guest follows a parcel by a link, and an operator sees what speaks against it, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tools.shared.client import Client, Failed, Network

Say = Callable[[str], None]
NOT_FOR_GUESTS = {"recipient", "lines", "tracking_number", "note", "code"}


def play(base_url: str, accounts: Sequence[dict[str, str]], order_id: str, *, say: Say = lambda _: None) -> None:
    """Let an operator, one of the accounts that ``tools.dev.seed`` made, look at the parcels of an order.

    Raises:
        Failed: if anything is not as it must be.
    """
    network = Network(base_url)
    try:
        account = next(one for one in accounts if one["role"] == "operator")
        operator = Client(network)
        operator.sign_in(account["email"], account["password"])
        weighed: Any = operator.get(f"/v1/operator/orders/{order_id}/shipments")["items"]
    finally:
        network.close()
    if not weighed:
        raise Failed(f"{order_id} has no shipments")
    say(f"\nAn operator looks at the parcels of {order_id}")
    for each in weighed:
        signs = ", ".join(sign["text"] for sign in each["signs"]) or "nothing speaks against it"
        parcel = each["shipment"]
        say(f"  {parcel['shipment_id']}: {parcel['status_text']}, doubt {each['doubt']}: {signs}")


def follow(buyer: Client, guest: Client, order_id: str, shipment_id: str, *, say: Say) -> None:
    """Let a guest follow one parcel of the buyer's by a link.

    Raises:
        Failed: if the guest sees what is none of theirs.
    """
    link: Any = buyer.expect(200, "POST", f"/v1/orders/{order_id}/shipments/{shipment_id}/link", {})
    seen: Any = guest.get(f"/v1/parcels/{link['token']}")
    if NOT_FOR_GUESTS & set(seen):
        raise Failed(f"a guest sees {sorted(NOT_FOR_GUESTS & set(seen))}")
    say(f"    a guest follows it by a link: {seen['status_text']}, its number ends in {seen['tracking_number_end']}")
