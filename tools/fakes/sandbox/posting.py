"""How the stand-ins post to the shop: over the network, to the very address they were given and no other."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.client import HTTPException

from tools.fakes.sandbox.stand_in import Answered

TIMEOUT_S = 10
ANSWER_CAP = 1 << 20


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Providers do not follow a redirect of a merchant; following one, this machine would ask on others' behalf."""

    def redirect_request(self, *_: object) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))


def exchange(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    """Post, and return status and body of the answer; 0 where none came."""
    if not url.startswith(("http://", "https://")):
        return 0, b""
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310
    try:
        with _opener.open(request, timeout=TIMEOUT_S) as answer:
            return int(answer.status), answer.read(ANSWER_CAP)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(ANSWER_CAP)
    except (OSError, HTTPException, ValueError):
        return 0, b""


def post(url: str, headers: dict[str, str], body: bytes) -> Answered:
    """Post a notice; 0 where no answer came."""
    return Answered.of(*exchange(url, headers, body))
