"""Which carrier hub a parcel is watched at: by its carrier, else in the order this installation names them."""

from __future__ import annotations

from importlib import import_module

from chalicelib.kernel.errors import NotFound
from chalicelib.logistics.domain import Shipment
from chalicelib.logistics.ports import CarrierHub
from chalicelib.runtime import start
from chalicelib.runtime.config import setting

DEFAULT = "kuaidi100"
"""Also of rows that name no hub: those of the days when there was one."""


def ranked() -> list[str]:
    """Return the hubs of this installation, the preferred one first: ``BIANDAN_CARRIER_HUB``."""
    return list(dict.fromkeys(setting("BIANDAN_CARRIER_HUB", DEFAULT).split(",")))


def _of_carriers() -> dict[str, str]:
    """Return the hub that carriers are to be watched at, by carrier: ``BIANDAN_CARRIER_HUB_OF``."""
    pairs = (pair.split(":") for pair in setting("BIANDAN_CARRIER_HUB_OF").split(",") if pair)
    return dict(pair for pair in pairs if len(pair) == 2)


@start.uses
def _secrets() -> list[str]:
    return [f"logistics-{name}" for name in dict.fromkeys((*ranked(), *_of_carriers().values()))]


def hub(name: str) -> CarrierHub:
    """Return a hub's adapter, loaded on first use.

    Raises:
        NotFound: if it is no name.
    """
    if not name.isidentifier():
        raise NotFound(what="address")
    adapter: CarrierHub = import_module(f"chalicelib.logistics.providers.{name}").build()
    return adapter


def of_carrier(carrier: str) -> list[str]:
    """Return the hubs that know a carrier, the one to ask first in front."""
    wanted = _of_carriers().get(carrier)
    every = dict.fromkeys((*((wanted,) if wanted else ()), *ranked()))
    return [name for name in every if hub(name).serves(carrier)]


def of(shipment: Shipment) -> str:
    """Return the hub at which a shipment is watched, or is to be. One that does not know its carrier is left."""
    carrier = shipment.carrier or ""
    if shipment.hub and hub(shipment.hub).serves(carrier):
        return shipment.hub
    if not shipment.hub and shipment.subscriptions:
        return DEFAULT
    return next(iter(of_carrier(carrier)), DEFAULT)


def after(shipment: Shipment, refused: str) -> str:
    """Return the hub to try after one that refused the shipment; empty if there is none."""
    names = of_carrier(shipment.carrier or "")
    left = names[names.index(refused) + 1 :] if refused in names else names
    return next(iter(left), "")
