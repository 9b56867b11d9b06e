"""QQ mini programs that pay through WeChat, as far as it is documented."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from chalicelib.runtime import outbound

# --- QQ mini programs paying through WeChat --------------------------------------------------------------------------

RELAY_URL = "https://api.q.qq.com"
RELAY_SIGNED_PATH = "/v3/pay/transactions/h5"
Authorize = Callable[[str, str, bytes], str]
"""(method, path, body) -> the ``Authorization`` header that a WeChat Pay v3 merchant signs."""


def relay_token_request(appid: str, app_secret: str) -> outbound.Request:
    """Return the request for the ``access_token`` that the relay wants. Never log its URL: the secret is in it."""
    query = urlencode({"grant_type": "client_credential", "appid": appid, "secret": app_secret})
    return outbound.Request("GET", f"{RELAY_URL}/api/getToken?{query}")


def relay_request(
    *,
    appid: str,
    access_token: str,
    h5_order: bytes,
    real_notify_url: str,
    authorize: Authorize,
    signed_path: str = RELAY_SIGNED_PATH,
) -> outbound.Request:
    """Return the request that creates a WeChat H5 order from inside a QQ mini program, as far as it is documented.

    ``h5_order`` is the JSON body of WeChat Pay v3's H5 order; QQ passes it on, and WeChat's notice comes back through
    QQ to ``real_notify_url``. Only the order and the notice take this way: query, close and refund go to WeChat
    itself. In the client, ``qq.requestWxPayment`` takes the ``h5_url`` of the answer.

    [?] Which path the ``Authorization`` signs is stated nowhere: WeChat's own (``signed_path``'s default) or the
    relay's with ``/wxpay`` in front. Ask QQ before relying on it; nothing in this shop calls it yet.
    """
    query = urlencode({"appid": appid, "access_token": access_token, "real_notify_url": real_notify_url})
    return outbound.Request(
        "POST",
        f"{RELAY_URL}/wxpay/v3/pay/transactions/h5?{query}",
        headers={
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Authorization": authorize("POST", signed_path, h5_order),
        },
        body=h5_order,
    )
