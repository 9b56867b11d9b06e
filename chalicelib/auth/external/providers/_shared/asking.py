"""One question to a platform: our app's number and secret, the address, the answer's bytes.

Secrets, codes and tokens ride in the query, as the platforms want it: no address asked here is ever written down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from chalicelib.auth.external.domain import ProviderBusy, ProviderLimited, Unreadable
from chalicelib.auth.external.providers import secret_of
from chalicelib.kernel.errors import Misconfigured
from chalicelib.runtime import log, outbound, secrets
from chalicelib.runtime.config import config, setting

STAND_IN_STAGES = ("local", "dev")
_APPID = re.compile(r"[0-9A-Za-z_\-]{1,64}")


@dataclass(frozen=True, slots=True)
class App:
    """Our app at a platform."""

    appid: str
    secret: str = field(repr=False)


def app(name: str) -> App:
    """Return our app there.

    Raises:
        Misconfigured: if its secret is missing, weak or no app.
    """
    appid = secrets.text(secret_of(name), "appid")
    if not _APPID.fullmatch(appid):
        raise Misconfigured(why=f"secret {secret_of(name)}: appid is no number of an app")
    return App(appid, secrets.text(secret_of(name), "app_secret"))


def base(variable: str, official: str) -> str:
    """Return a platform's address, or that of a stand-in.

    Raises:
        Misconfigured: for a stand-in outside the stages local and dev: it would be shown our secret.
    """
    url = setting(variable, official).rstrip("/")
    if url != official and config().stage not in STAND_IN_STAGES:
        raise Misconfigured(why=f"{variable} names a stand-in, which is for the stages local and dev")
    return url


def address(url: str, query: dict[str, str]) -> str:
    """Return an address with its query, in this order."""
    return f"{url}?{urlencode(query, quote_via=quote, safe='')}"


def get(name: str, url: str, query: dict[str, str]) -> bytes:
    """Ask once, and return the body of an answer with HTTP 200, which errors have too.

    Raises:
        ProviderBusy, ProviderLimited, Unreadable: for any other status.
        OutboundTimeout, OutboundFailed: if no whole answer came.
    """
    answer = outbound.request("GET", address(url, query), headers={"Accept": "application/json"})
    if answer.status == 200:
        return answer.body
    log.warning("sign-in not answered", provider=name, status=answer.status)
    if answer.status == 429:
        raise ProviderLimited
    if answer.status >= 500:
        raise ProviderBusy
    raise Unreadable(why=f"HTTP {answer.status}")
