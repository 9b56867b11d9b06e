"""Where a request comes from, for counting: one subscriber's network, kept as a keyed hash only."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress

from chalicelib.runtime import secrets


def network_of(source_ip: str) -> str:
    """Return what one subscriber has: an IPv4 address, or the /64 of an IPv6 address; empty for what is neither."""
    try:
        address = ipaddress.ip_address(source_ip.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((address, 64), strict=False).network_address) + "/64"
    return str(address)


def mark(source_ip: str, purpose: str) -> str:
    """Return the network as 24 characters that name it for one purpose and reveal it to nobody without our key."""
    key = secrets.text("http", "cursor_key").encode()
    text = f"network\n{purpose}\n{network_of(source_ip)}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:24]
