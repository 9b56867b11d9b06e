"""Where a request comes from, for counting: one subscriber's network, kept as a keyed hash only."""

from __future__ import annotations

import ipaddress

from chalicelib.runtime import marks


def network_of(source_ip: str) -> str:
    """Return what one subscriber has: an IPv4 address, or the /64 of an IPv6 address; empty for what is neither."""
    address = _address(source_ip)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((address, 64), strict=False).network_address) + "/64"
    return str(address) if address is not None else ""


def neighbourhood_of(source_ip: str) -> str:
    """Return the network that an address is in: 256 neighbours, or an IPv6 address's site; empty for neither."""
    address = _address(source_ip)
    if address is None:
        return ""
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


def _address(source_ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an address without its zone, an IPv4 address in IPv6's clothes as itself; None for what is none."""
    try:
        address = ipaddress.ip_address(source_ip.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def mark(source_ip: str, purpose: str) -> str:
    """Return the network as 24 characters that name it for one purpose and reveal it to nobody without our key."""
    return marks.mark(network_of(source_ip), f"network\n{purpose}")


def counted(source_ip: str) -> str:
    """Return the mark under which what comes from a network is counted; empty where it is not known."""
    return mark(source_ip, "counted") if network_of(source_ip) else ""
