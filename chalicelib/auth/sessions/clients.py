"""Who asks: a request's device, program and network, as a session keeps them. Coarse; no place is looked up."""

from __future__ import annotations

import hashlib
import hmac

from chalicelib.auth import devices, passwords
from chalicelib.auth.sessions import agents
from chalicelib.auth.sessions.domain import Client, Device
from chalicelib.runtime import networks


def client_of(device: Device, source_ip: str, *, account_id: str) -> Client:
    """Return the client of a request. A token that was given to another account's device names none."""
    known = devices.known(device.token)
    network = networks.neighbourhood_of(source_ip)
    return Client(
        device_id=known.device_id if known is not None and known.account_id == account_id else "",
        mark=_mark(device.agent, network),
        family=agents.family(device.agent),
        network=network,
    )


def _mark(agent: str, network: str) -> str:
    said = f"{network}\n{agent}"
    return hmac.new(passwords.keyed("client"), said.encode(), hashlib.sha256).hexdigest()[:24]
