"""Wire models of signing in by QQ and WeChat."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from chalicelib.auth import domain, service
from chalicelib.auth.external.domain import MiniData
from chalicelib.auth.sessions.schemas import TokensView
from chalicelib.runtime.schema import Id, Schema, Timestamp, refusal

_PRINTED = r"^[\x21-\x7e]*$"
CHALLENGE = r"^[A-Za-z0-9_-]{43}$"
VERIFIER = r"^[A-Za-z0-9._~-]{43,128}$"
ReturnUrl = Annotated[str, StringConstraints(min_length=8, max_length=300, pattern=_PRINTED)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=_PRINTED)]
ProofText = Annotated[str, StringConstraints(min_length=20, max_length=2000, pattern=_PRINTED)]
DeviceToken = Annotated[str, StringConstraints(min_length=20, max_length=256)]


class Begin(Schema):
    """Where to come back to, and the SHA-256 (base64url, no padding) of a verifier that the storefront keeps."""

    return_url: ReturnUrl
    challenge: Annotated[str, StringConstraints(pattern=CHALLENGE)]
    small: bool = False
    """A phone's screen."""


class BegunView(Schema):
    """Where the browser goes. ``state`` comes back with it, once, within ``expires_in`` seconds."""

    url: str
    state: str
    expires_in: int


class MiniTokensView(TokensView):
    """What a device keeps, and what a payment by the mini program's own sheet needs."""

    payer: str
    """The person's name in this app (openid), for payments that need a `payer`. It is kept nowhere here."""

    @classmethod
    def naming(cls, tokens: service.Tokens, payer: str) -> Self:
        """Return the wire form."""
        return cls(**TokensView.of(tokens).model_dump(), payer=payer)


class _Returned(Schema):
    state: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTED)]
    verifier: Annotated[str, StringConstraints(pattern=VERIFIER)]
    return_url: ReturnUrl
    code: Code | None = None
    usercancel: Annotated[str, StringConstraints(max_length=8)] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.code is None) is (self.usercancel is None):
            raise refusal("code_or_usercancel", "send code or usercancel, as it came")
        return self

    def returned(self) -> service.external.Returned:
        """Return what the service takes."""
        return service.external.Returned(
            state=self.state,
            verifier=self.verifier,
            return_url=self.return_url,
            code=self.code or "",
            cancelled=self.usercancel is not None,
        )


class Complete(_Returned):
    """What came back in the page's query, and what the storefront kept: the verifier and the page's address."""

    device_token: DeviceToken | None = None


class LinkReturned(_Returned):
    """As ``Complete``, for an account that is signed in."""


class _Data(Schema):
    raw_data: Annotated[str, StringConstraints(max_length=4000, strip_whitespace=False)] | None = None
    """Exactly the text that the platform signed."""
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")] | None = None
    encrypted_data: Annotated[str, StringConstraints(max_length=8000, pattern=_PRINTED)] | None = None
    iv: Annotated[str, StringConstraints(max_length=64, pattern=_PRINTED)] | None = None

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.raw_data is None) is not (self.signature is None):
            raise refusal("half_of_raw_data", "raw_data and signature go together")
        if (self.encrypted_data is None) is not (self.iv is None):
            raise refusal("half_of_encrypted_data", "encrypted_data and iv go together")
        return self

    def data(self) -> MiniData:
        """Return what the service takes."""
        return MiniData(self.raw_data or "", self.signature or "", self.encrypted_data or "", self.iv or "")


class MiniSignIn(_Data):
    """The code of ``qq.login`` or ``wx.login``, and if there is any, what the platform signed or encrypted."""

    js_code: Code
    device_token: DeviceToken | None = None


class MiniTell(_Data):
    """What the platform signed or encrypted for the mini program."""


class SignInApart(Schema):
    """The proof of a refused sign-in (``person_known``): the person wants an account of its own."""

    proof: ProofText
    device_token: DeviceToken | None = None


class LinkMini(Schema):
    """The code of ``qq.login`` or ``wx.login``."""

    js_code: Code


class ProveElsewhere(Schema):
    """What came back in the page's query with what the storefront kept, or a mini program's code."""

    web: LinkReturned | None = None
    js_code: Code | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.web is None) is (self.js_code is None):
            raise refusal("web_or_js_code", "send web or js_code")
        return self


class LinkProof(Schema):
    """The proof of a refused sign-in (``person_known``)."""

    proof: ProofText


class LinkView(Schema):
    """An identity elsewhere that opens the account."""

    link_id: Id
    provider: Literal["qq", "qq_mini", "wechat_mini"]
    linked_at: Timestamp

    @classmethod
    def of(cls, link: domain.Link) -> LinkView:
        """Return the wire form."""
        return cls.model_construct(link_id=link.link_id, provider=link.provider, linked_at=link.linked_at)


class LinksView(Schema):
    """All of them: at most 20, so this list has no pages. ``offered`` are the ways there are here."""

    items: list[LinkView]
    offered: list[str] = Field(description="ways to sign in elsewhere that this installation offers")

    @classmethod
    def of(cls, links: tuple[domain.Link, ...], offered: tuple[str, ...]) -> LinksView:
        """Return the wire form."""
        return cls(items=[LinkView.of(link) for link in links], offered=list(offered))
