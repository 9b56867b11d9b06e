"""The platforms' other end: it knows persons and apps, gives codes, and takes each back once, in time, from its app.

Nothing here knows the shop or shares its code. Beside the platforms' own addresses there are those of people and tests:

- ``GET /`` and the authorize page: where a person plays the one who signs in
- ``POST /decide``: ``{"client_id", "redirect_uri", "state", "person"}``, what the page's buttons do; no person cancels
- ``POST /login/{qq_mini|wechat_mini}``: ``{"person"}``, what ``qq.login`` and ``wx.login`` give a mini program
- ``POST /control``: ``{"step", "shape", "times"}``, in which shape the next answers of a step come (see ``shapes``)
- ``GET /state``: what happened
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tools.fakes.resources import local_secrets
from tools.fakes.sandbox.shelf import Recent
from tools.fakes.sandbox.stand_in import Silence
from tools.fakes.sign_in import persons, shapes, sign_in_page
from tools.fakes.sign_in.persons import App
from tools.fakes.sign_in.shapes import Answer

HOSTS = {"graph.qq.com": "graph", "api.q.qq.com": "qq-mini", "api.weixin.qq.com": "wechat-mini"}
"""Which part of this plays which host; served on one port, it is the first segment of a path."""
CODE_S, JS_CODE_S = 600, 300
REGISTERED = ("127.0.0.1", "localhost", "shop.example")
"""Under which names a page that codes go to may lie."""
_OPEN = frozenset({"", "decide", "login", "control", "state"})
_LONGEST = 300


def is_open(target: str) -> bool:
    """Say whether a call is one of people and tests."""
    return urlsplit(target).path.strip("/").split("/")[0] in _OPEN


def local_apps() -> dict[str, App]:
    """Return our apps as a local installation's secrets have them."""
    known = local_secrets()
    return {
        name: App(secret["appid"], secret["app_secret"])
        for name, secret in ((one, known[f"sign-in-{one.replace('_', '-')}"]) for one in persons.PLATFORMS)
    }


@dataclass
class _Code:
    provider: str
    person: str
    until: float
    redirect_uri: str = ""
    key: str = ""
    used: bool = False


@dataclass
class _Steer:
    shape: str
    times: int | None


@dataclass
class SignInHost:
    """All three hosts. Safe in threads."""

    now: Callable[[], float] = time.time
    apps: dict[str, App] = field(default_factory=local_apps)
    base_url: str = ""
    slow_s: float = shapes.SLOW_S
    calls: list[str] = field(default_factory=lambda: Recent(200))
    """What was asked, without any secret."""
    refusals: list[str] = field(default_factory=lambda: Recent(200))
    """Why our last wrong questions were refused: a strict host would not have taken them."""
    neighbours: dict[str, str] = field(default_factory=dict)
    _codes: dict[str, _Code] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)
    _keys: dict[tuple[str, str], str] = field(default_factory=dict)
    _steering: dict[str, _Steer] = field(default_factory=dict)
    _pace: threading.local = field(default_factory=threading.local)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # --- serving ------------------------------------------------------------------------------------------------

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:  # noqa: ARG002
        """Answer one call; ``path`` with its query.

        Raises:
            Silence: when no answer is to come.
        """
        self._pace.slow = 0.0
        parts = urlsplit(path)
        with self._lock:
            try:
                query = _once(parse_qsl(parts.query, keep_blank_values=True))
                return self._route(method, [part for part in parts.path.split("/") if part], query, body)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                return shapes.as_json({"error": str(error)[:_LONGEST]}, 422)

    def slowness(self) -> float:
        """Return how long the answer just given is to take."""
        return float(getattr(self._pace, "slow", 0.0))

    def _route(self, method: str, words: list[str], query: dict[str, str], body: bytes) -> Answer:
        if method == "POST" and words[:1] and words[0] in _OPEN:
            return shapes.as_json(self._told(words[0], words[1:], _object(body)))
        found = self._pages().get("/".join(words)) if method == "GET" else None
        return found(query) if found is not None else (404, shapes.HTML, b"no such page")

    def _pages(self) -> dict[str, Callable[[dict[str, str]], Answer]]:
        return {
            "": lambda _: (200, sign_in_page.HEADERS, sign_in_page.page({**self.state(), "asked": None}).encode()),
            "state": lambda _: shapes.as_json(self.state()),
            "graph/oauth2.0/authorize": self._authorize,
            "graph/oauth2.0/token": lambda query: self._shaped("token", query, self._token),
            "graph/oauth2.0/me": lambda query: self._shaped("me", query, self._me),
            "graph/user/get_user_info": lambda query: self._shaped("user", query, self._user),
            "qq-mini/sns/jscode2session": lambda query: self._shaped("qq_mini", query, self._qq_session),
            "wechat-mini/sns/jscode2session": lambda query: self._shaped("wechat_mini", query, self._wechat_session),
        }

    def _told(self, word: str, rest: list[str], content: dict[str, Any]) -> dict[str, Any]:
        match word, rest:
            case "decide", []:
                who = content.get("person")
                return {"location": self.decide(content, persons.person(who) if who is not None else None)}
            case "login", [provider]:
                return self.login(provider, persons.person(content.get("person")))
            case "control", []:
                self.steer(str(content.get("step")), str(content.get("shape")), content.get("times"))
                return self.state()
        raise ValueError("nobody understands that")

    # --- people and tests ---------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return what a page shows."""
        return {
            "persons": dict(persons.PERSONS),
            "steps": {step: list(shapes.shapes_of(step)) for step in shapes.STEPS},
            "steering": {step: [held.shape, held.times] for step, held in self._steering.items()},
            "calls": list(self.calls)[-40:],
            "refusals": list(self.refusals)[-40:],
            "neighbours": self.neighbours,
        }

    def steer(self, step: str, shape: str, times: object = None) -> None:
        """Let the answers of a step come in a shape: so often, or until told otherwise.

        Raises:
            ValueError: if no answer of this step comes like that.
        """
        if step not in shapes.STEPS or shape not in shapes.shapes_of(step):
            raise ValueError(f"no answer of {step} comes as {shape}")
        if times is not None and (type(times) is not int or not 1 <= times <= 1000):
            raise ValueError("times is 1 to 1000")
        self._steering.pop(step, None)
        if shape != "normal":
            self._steering[step] = _Steer(shape, times)

    def decide(self, asked: Mapping[str, Any], person: str | None) -> str:
        """Return where the browser goes when a person said yes, or (nobody) no.

        Raises:
            ValueError: if nobody could have been asked that.
        """
        wrong = self._wrong_request({**asked, "response_type": "code", "scope": "get_user_info"})
        if wrong:
            raise ValueError(wrong)
        uri = str(asked["redirect_uri"])
        told = {"usercancel": "1"} if person is None else {"code": self._coded("qq", person, redirect_uri=uri)}
        return f"{uri}{'&' if '?' in uri else '?'}{urlencode({**told, 'state': str(asked['state'])})}"

    def login(self, provider: str, person: str, *, appid: str = "") -> dict[str, Any]:
        """Return what a mini program gets: a code, and its person's profile, signed and encrypted.

        Raises:
            ValueError: if there is no such mini program.
        """
        if provider not in shapes.MINI:
            raise ValueError("a mini program is qq_mini or wechat_mini")
        key = base64.b64encode(os.urandom(16)).decode()
        self._keys[provider, person] = key
        return {"js_code": self._coded(provider, person, key=key), **self.profile(provider, person, key, appid=appid)}

    def profile(self, provider: str, person: str, key: str = "", *, appid: str = "") -> dict[str, str]:
        """Return a person's profile as a mini program gets it, with the key of the last sign-in."""
        key = key or self._keys[provider, person]
        ours = self.apps[provider].appid
        raw = json.dumps({"nickName": persons.called(person), "gender": 0, "language": "zh_CN"}, ensure_ascii=False)
        secret = {
            "openId": persons.openid(provider, ours, person),
            "nickName": persons.called(person),
            "unionId": persons.unionid(provider, person),
            "watermark": {"appid": appid or ours, "timestamp": int(self.now())},
        }
        sealed, iv = encrypted(json.dumps(secret, ensure_ascii=False).encode(), key)
        signature = hashlib.sha1((raw + key).encode()).hexdigest()  # noqa: S324 - the platforms' own
        return {"raw_data": raw, "signature": signature, "encrypted_data": sealed, "iv": iv}

    def _coded(self, provider: str, person: str, *, redirect_uri: str = "", key: str = "") -> str:
        code = os.urandom(16).hex().upper()
        life = JS_CODE_S if provider in shapes.MINI else CODE_S
        self._codes[code] = _Code(provider, person, self.now() + life, redirect_uri, key)
        return code

    # --- the platforms ------------------------------------------------------------------------------------------

    def _shaped(self, step: str, query: dict[str, str], answer: Callable[[dict[str, str]], dict[str, Any]]) -> Answer:
        right = answer(query)
        held = self._steering.get(step)
        if held is None:
            self.calls.append(step)
            return shapes.as_json(right)
        if held.shape == "no_unionid" and step == "me" and "unionid" not in query:
            self.calls.append(step)
            return shapes.as_json(right)
        self.calls.append(f"{step}: {held.shape}")
        if held.times is not None:
            held.times -= 1
            if held.times == 0:
                del self._steering[step]
        if held.shape == "silent":
            raise Silence(accepted=True)
        if held.shape == "slow":
            self._pace.slow = self.slow_s
        return shapes.shapes_of(step)[held.shape](right)

    def _wrong_request(self, asked: Mapping[str, Any]) -> str:
        uri = urlsplit(str(asked.get("redirect_uri", "")))
        if asked.get("response_type") != "code":
            return "response_type is not code"
        if asked.get("client_id") != self.apps["qq"].appid:
            return "client_id is no app (100008)"
        if uri.scheme not in ("http", "https") or uri.hostname not in REGISTERED or uri.fragment:
            return "redirect_uri is illegal (100010)"
        if not asked.get("state"):
            return "there is no state"
        return "" if "get_user_info" in str(asked.get("scope", "")).split(",") else "scope lacks get_user_info"

    def _authorize(self, query: dict[str, str]) -> Answer:
        wrong = self._wrong_request(query)
        if wrong:
            self._refuse(wrong)
        names = ("client_id", "redirect_uri", "state")
        asked = {name: query.get(name, "") for name in names} | {"wrong": wrong}
        return 200, sign_in_page.HEADERS, sign_in_page.page({**self.state(), "asked": asked}).encode()

    def _token(self, query: dict[str, str]) -> dict[str, Any]:
        app = self.apps["qq"]
        names = {"grant_type", "client_id", "client_secret", "code", "redirect_uri", "fmt"}
        if not names <= set(query) or query["grant_type"] != "authorization_code" or query["fmt"] != "json":
            return self._error(100000, "a parameter is missing or wrong")
        if (query["client_id"], query["client_secret"]) != (app.appid, app.secret):
            return self._error(100001, "client_id or client_secret is wrong")
        code = self._taken("qq", query["code"])
        if code is None:
            return self._error(100020, "code is used, too old or unknown")
        if code.redirect_uri != query["redirect_uri"]:
            return self._error(100010, "redirect_uri is not that of the code")
        token = os.urandom(16).hex().upper()
        self._tokens[token] = code.person
        return {"access_token": token, "expires_in": 7776000, "refresh_token": os.urandom(16).hex().upper()}

    def _me(self, query: dict[str, str]) -> dict[str, Any]:
        person = self._tokens.get(query.get("access_token", ""))
        if person is None or query.get("fmt") != "json":
            return self._error(100016, "access token check failed")
        appid = self.apps["qq"].appid
        told = {"client_id": appid, "openid": persons.openid("qq", appid, person)}
        return {**told, "unionid": persons.unionid("qq", person)} if query.get("unionid") == "1" else told

    def _user(self, query: dict[str, str]) -> dict[str, Any]:
        person = self._tokens.get(query.get("access_token", ""))
        appid = self.apps["qq"].appid
        ours = query.get("oauth_consumer_key") == appid
        if person is None or not ours or query.get("openid") != persons.openid("qq", appid, person):
            self._refuse("whose profile?")
            return {"ret": -22, "msg": "openid is invalid"}
        return {"ret": 0, "msg": "", "nickname": persons.called(person), "gender": "", "figureurl_qq_1": ""}

    def _qq_session(self, query: dict[str, str]) -> dict[str, Any]:
        return self._session("qq_mini", query)

    def _wechat_session(self, query: dict[str, str]) -> dict[str, Any]:
        return self._session("wechat_mini", query)

    def _session(self, provider: str, query: dict[str, str]) -> dict[str, Any]:
        app = self.apps[provider]
        if set(query) != {"appid", "secret", "js_code", "grant_type"} or query["grant_type"] != "authorization_code":
            return self._errcode(40013, "a parameter is missing or wrong")
        if query["appid"] != app.appid:
            return self._errcode(40013, "invalid appid")
        if query["secret"] != app.secret:
            return self._errcode(40125, "invalid appsecret")
        code = self._taken(provider, query["js_code"])
        if code is None:
            return self._errcode(40029, "invalid code")
        return {
            "openid": persons.openid(provider, app.appid, code.person),
            "session_key": code.key,
            "unionid": persons.unionid(provider, code.person),
        }

    def _taken(self, provider: str, text: str) -> _Code | None:
        code = self._codes.get(text)
        if code is None or code.provider != provider or code.used or self.now() >= code.until:
            return None
        code.used = True
        return code

    def _error(self, number: int, words: str) -> dict[str, Any]:
        self._refuse(words)
        return {"error": number, "error_description": words}

    def _errcode(self, number: int, words: str) -> dict[str, Any]:
        self._refuse(words)
        return {"errcode": number, "errmsg": words}

    def _refuse(self, why: str) -> None:
        self.refusals.append(why)


def encrypted(content: bytes, key: str) -> tuple[str, str]:
    """Return data as the platforms encrypt it for a mini program, and its initial vector."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    iv, short = os.urandom(16), 16 - len(content) % 16
    cipher = Cipher(algorithms.AES(base64.b64decode(key)), modes.CBC(iv)).encryptor()
    sealed = cipher.update(content + bytes([short]) * short) + cipher.finalize()
    return base64.b64encode(sealed).decode(), base64.b64encode(iv).decode()


def _once(pairs: list[tuple[str, str]]) -> dict[str, str]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a parameter came twice")
    return found


def _object(body: bytes) -> dict[str, Any]:
    content = json.loads(body) if body else {}
    if not isinstance(content, dict):
        raise ValueError("send a JSON object")
    return content
