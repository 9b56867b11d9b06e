"""Who may call a server on this machine: not every page that happens to be open in the developer's browser.

A page of a stranger can make a browser post to 127.0.0.1, or point a name of its own there and read the answers. So a
server here answers to its own names only (``Host``), takes nothing from a page of another origin (``Origin``,
``Sec-Fetch-Site``), and takes orders as JSON only, which no form can send. Programs send neither header and pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Headers = Sequence[tuple[str, str]]
"""Names in lower case, in the order they came."""
LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_LOCAL_ORIGIN = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?")
_JSON = re.compile(r"application/json(\s*;.*)?", re.IGNORECASE)
_FORM = "application/x-www-form-urlencoded"
_READS = ("GET", "HEAD")


@dataclass(frozen=True)
class Refusal:
    """Why a request is not even looked at."""

    status: int
    why: str


def nowhere(_: str) -> bool:
    """Say of no address that it is meant."""
    return False


@dataclass(frozen=True)
class Door:
    """The rules of one server. The predicates are asked with a request's target."""

    names: tuple[str, ...] = ()
    """Further host names (a tunnel's) under which it may be called, and whose pages count as its own."""
    origins: tuple[str, ...] = ()
    """Further origins whose pages may call what ``shared`` names."""
    orders: Callable[[str], bool] = nowhere
    """Where a body must be JSON."""
    shared: Callable[[str], bool] = nowhere
    """What pages of other servers on this machine may call as well: a storefront under development does."""
    pictures: Callable[[str], bool] = nowhere
    """What any page may show."""
    ports: list[int] = field(default_factory=list)
    """Where it listens; the server fills it in."""

    def refusal(self, method: str, target: str, headers: Headers) -> Refusal | None:
        """Return why a request is refused; None for one to serve."""
        hosts = [value.lower() for name, value in headers if name == "host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts():
            return Refusal(421, f"this server is called {LOCAL_NAMES[0]} or {LOCAL_NAMES[1]}, with its port")
        return self._foreign(method, target, headers) or self._not_json(method, target, headers)

    def _hosts(self) -> set[str]:
        local = {f"{name}:{port}" for name in LOCAL_NAMES for port in self.ports}
        return local | {name.lower() for name in self.names}

    def _foreign(self, method: str, target: str, headers: Headers) -> Refusal | None:
        refused = Refusal(403, "a page of another origin may not call this")
        origins = [value.lower() for name, value in headers if name == "origin"]
        if any(not self._is_known(origin, target) for origin in origins):
            return refused
        sites = {value.lower() for name, value in headers if name == "sec-fetch-site"}
        if sites <= {"same-origin", "none"} or origins:
            return None
        if method in _READS and (self.pictures(target) or _is_navigation(headers)):
            return None
        return refused

    def _is_known(self, origin: str, target: str) -> bool:
        own = {f"http://{host}" for host in self._hosts()} | {f"https://{name.lower()}" for name in self.names}
        if origin in own:
            return True
        return self.shared(target) and (origin in self.origins or _LOCAL_ORIGIN.fullmatch(origin) is not None)

    def _not_json(self, method: str, target: str, headers: Headers) -> Refusal | None:
        if method in _READS or not self.orders(target):
            return None
        kinds = [value for name, value in headers if name == "content-type"]
        if not _has_body(headers) and kinds in ([], [_FORM]):  # Programs call an empty body a form without meaning one.
            return None
        if len(kinds) == 1 and _JSON.fullmatch(kinds[0].strip()):
            return None
        return Refusal(415, "send JSON, with the content type application/json")


def _has_body(headers: Headers) -> bool:
    return any(name == "transfer-encoding" or (name == "content-length" and value != "0") for name, value in headers)


def _is_navigation(headers: Headers) -> bool:
    """Say whether a person follows a link (to a cashier, say) in a tab of its own, not in a frame of another page."""
    said = dict(headers)
    return said.get("sec-fetch-mode") == "navigate" and said.get("sec-fetch-dest", "document") == "document"
