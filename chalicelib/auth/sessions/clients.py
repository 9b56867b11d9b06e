"""Who asks: a request's device, program and network, as a session keeps them. Coarse; no place is looked up."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress

from chalicelib.auth import devices, passwords
from chalicelib.auth.sessions import agents
from chalicelib.auth.sessions.domain import Client, Device


def client_of(device: Device, source_ip: str, *, account_id: str) -> Client:
    """Return the client of a request. A token that was given to another account's device names none."""
    known = devices.known(device.token)
    network = place(source_ip)
    return Client(
        device_id=known.device_id if known is not None and known.account_id == account_id else "",
        mark=_mark(device.agent, network),
        family=agents.family(device.agent),
        network=network,
    )


def place(source_ip: str) -> str:
    """Return the network that an address is in: some 256 neighbours, or the site of an IPv6 address."""
    try:
        address = ipaddress.ip_address(source_ip.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


def _mark(agent: str, network: str) -> str:
    said = f"{network}\n{agent}"
    return hmac.new(passwords.keyed("client"), said.encode(), hashlib.sha256).hexdigest()[:24]
