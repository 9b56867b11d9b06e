"""QQ on the web (QQ互联, graph.qq.com): OAuth 2.0 with answers of its own, errors among them with HTTP 200."""

from __future__ import annotations

from typing import Any

from chalicelib.auth.external import answers
from chalicelib.auth.external.domain import CodeRefused, Platform, Proof, Unreadable, nickname_of
from chalicelib.auth.external.providers._shared import asking
from chalicelib.kernel.errors import ShopError
from chalicelib.runtime import log, metrics

OFFICIAL_URL = "https://graph.qq.com"
NO_UNIONID = 100048
"""This app may not learn unionids; openids it may."""


class QQ:
    """The adapter."""

    name = "qq"
    platform = Platform.QQ

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def appid(self) -> str:
        """Return the number of our app there."""
        return asking.app(self.name).appid

    def authorize_url(self, *, state: str, return_url: str, small: bool) -> str:
        """Return the page on which the person says yes; it sends the browser to ``return_url``."""
        query = {
            "response_type": "code",
            "client_id": self.appid,
            "redirect_uri": return_url,
            "state": state,
            "scope": "get_user_info",
            **({"display": "mobile"} if small else {}),
        }
        return asking.address(f"{self.url}/oauth2.0/authorize", query)

    def prove(self, code: str, *, return_url: str) -> Proof:
        """Exchange the code, then ask whose token that is: it must be one of our own app.

        Raises:
            as ``ports.WebProvider``.
        """
        app = asking.app(self.name)
        query = {
            "grant_type": "authorization_code",
            "client_id": app.appid,
            "client_secret": app.secret,
            "code": code,
            "redirect_uri": return_url,
            "fmt": "json",
        }
        found = self._ask("/oauth2.0/token", query)
        self._refuse_error(found, "token")
        token = answers.token(found)
        me = self._me(token)
        if answers.name(me, "client_id") != app.appid:
            log.warning("sign-in of another app", provider=self.name)
            metrics.count("foreign_sign_in_tokens")
            raise CodeRefused
        openid = answers.name(me, "openid")
        if not openid:
            raise Unreadable(why="no openid")
        return Proof(
            provider=self.name,
            platform=self.platform,
            appid=app.appid,
            openid=openid,
            unionid=answers.name(me, "unionid"),
            access_token=token,
        )

    def nickname(self, proof: Proof) -> str:
        """Return the nickname, or nothing: nobody's sign-in fails for it."""
        query = {"access_token": proof.access_token, "oauth_consumer_key": proof.appid, "openid": proof.openid}
        try:
            found = self._ask("/user/get_user_info", query)
            number = answers.number(found, "ret")
        except ShopError as error:
            log.info("no profile", provider=self.name, why=error.code)
            return ""
        if number:
            log.info("no profile", provider=self.name, ret=number)
            return ""
        return nickname_of(found.get("nickname"))

    def _me(self, token: str) -> dict[str, Any]:
        found = self._ask("/oauth2.0/me", {"access_token": token, "unionid": "1", "fmt": "json"})
        if answers.number(found, "error") == NO_UNIONID:
            found = self._ask("/oauth2.0/me", {"access_token": token, "fmt": "json"})
        self._refuse_error(found, "me")
        return found

    def _ask(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        return answers.parse(asking.get(self.name, self.url + path, query))

    def _refuse_error(self, found: dict[str, Any], step: str) -> None:
        """Errors come as ``error`` or as ``ret``. Which of them would pass by itself is nowhere said: begin again."""
        number = answers.number(found, "error") or answers.number(found, "ret")
        if number:
            log.warning("sign-in refused", provider=self.name, step=step, error=number)
            metrics.count("external_sign_ins_refused")
            raise CodeRefused


def build() -> QQ:
    """Return the provider."""
    return QQ(asking.base("BIANDAN_QQ_GRAPH_URL", OFFICIAL_URL))
