"""The error tree. Every expected failure is a ``ShopError`` with a stable ``code``; HTTP serves it as RFC 9457.

A class says its ``code``, HTTP ``status`` and its ``detail`` in both languages as format strings over the
keyword arguments it is raised with. Arguments named in ``shown`` also appear as members of the problem: those are for
machines. Where such a word for machines stands in the sentence too, ``texts_of`` says it for people.
Never pass personal data or secrets: details reach answers and logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from chalicelib.kernel.texts import Texts, said

OTHERWISE: Final[Texts] = ("for another reason", "其他原因")
"""What a person reads for a word that no table knows: never the word itself."""
_NOT_NOW: Final[Texts] = ("Its present state does not allow this step.", "当前状态不允许此步骤。")


class ShopError(Exception):
    """Base of every expected failure."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    en: ClassVar[str] = "The request failed."
    zh: ClassVar[str] = "请求失败。"
    shown: ClassVar[tuple[str, ...]] = ()
    texts_of: ClassVar[Mapping[str, Mapping[str, Texts]]] = {}
    """Parameters that are words for machines, and what the sentence says for them (empty: for any other)."""
    retry_after_s: ClassVar[int | None] = None

    def __init__(self, **params: Any) -> None:
        super().__init__(self.code, params)
        self.params = params
        self.others: tuple[Exception, ...] = ()
        """Refusals of the same transaction beside this one (see ``runtime.db.work``)."""

    def detail(self, language: str = "en") -> str:
        """Return the sentence for a person, ``zh`` or ``en``."""
        template = said((self.en, self.zh), language)
        texts = {
            name: said(table.get(str(self.params[name]), table.get("", OTHERWISE)), language)
            for name, table in self.texts_of.items()
            if name in self.params
        }
        try:
            return template.format(**{**self.params, **texts})
        except (KeyError, IndexError):
            return template

    def members(self) -> dict[str, Any]:
        """Return the extension members shown in the problem document."""
        return {name: self.params[name] for name in self.shown if name in self.params}

    def __str__(self) -> str:
        """Say it to a log or a developer: the words for machines stand behind the sentence."""
        exact = ", ".join(f"{name}={self.params[name]}" for name in self.texts_of if name in self.params)
        return f"{self.code}: {self.detail()}" + (f" ({exact})" if exact else "")


class Invalid(ShopError):
    """The input is wrong; sending it again will not help."""

    code, status = "invalid_request", 422
    en, zh = "The request is not valid.", "请求内容不正确。"
    shown: ClassVar[tuple[str, ...]] = ("errors",)


class Malformed(Invalid):
    """The body is not what the route accepts at all."""

    code, status = "malformed_body", 400
    en, zh = "The body could not be read: {why}.", "无法读取请求内容：{why}。"
    shown = ("errors", "why")
    texts_of = {  # noqa: RUF012
        "why": {
            "not_json": ("it is not valid JSON", "不是有效的 JSON"),
            "control_characters": ("it holds control characters", "含有控制字符"),
            "repeated_key": ("a key is there twice", "有重复的键"),
        }
    }


class Unauthenticated(ShopError):
    """No credentials, or none that count."""

    code, status = "unauthenticated", 401
    en, zh = "Sign in and send a valid access token.", "请登录并携带有效的访问令牌。"

    def challenge(self) -> str:
        """Return how to do better (RFC 9110, section 11.6.1)."""
        return 'Bearer realm="biandan"'


class Forbidden(ShopError):
    """Signed in, but not allowed."""

    code, status = "forbidden", 403
    en, zh = "This account may not do that.", "当前账号无权进行此操作。"


class NotFound(ShopError):
    """No such record, or none of the caller's: the two look the same on purpose."""

    code, status = "not_found", 404
    en, zh = "There is no such {what}.", "{what}不存在。"
    shown: ClassVar[tuple[str, ...]] = ("what",)
    texts_of = {  # noqa: RUF012
        "what": {
            "": ("record", "记录"),
            "SKU": ("SKU", "商品规格"),
            "invitation": ("invitation", "邀请"),
            "rule": ("rule", "规则"),
            "review": ("review", "风险复核"),
            "letter": ("message", "消息"),
            "account": ("account", "账号"),
            "address": ("address", "地址"),
            "approval": ("approval", "审批"),
            "archive": ("archive", "个人信息副本"),
            "booking": ("booking", "预约"),
            "case": ("case", "差错单"),
            "complaint": ("complaint", "投诉"),
            "consent": ("purpose", "同意事项"),
            "contact": ("contact", "联系方式"),
            "conversation": ("conversation", "会话"),
            "delivery": ("delivery", "回调消息"),
            "erasure": ("request to be forgotten", "注销申请"),
            "evidence": ("evidence", "凭证"),
            "feedback": ("feedback", "反馈"),
            "identity": ("identity", "登录身份"),
            "job": ("job", "任务"),
            "key": ("key", "密钥"),
            "manifest": ("published version", "已发布的版本"),
            "merchant": ("merchant", "商家"),
            "order": ("order", "订单"),
            "order line": ("order line", "订单行"),
            "parcel": ("parcel", "包裹"),
            "message": ("message", "消息"),
            "return": ("return", "退货单"),
            "passkey": ("passkey", "通行密钥"),
            "payment": ("payment", "支付"),
            "pool": ("pool", "码池"),
            "product": ("product", "商品"),
            "purchase": ("purchase", "订单"),
            "quarantined notice": ("quarantined notice", "待核实通知"),
            "reconciliation": ("reconciliation", "对账记录"),
            "refund": ("refund", "退款"),
            "report": ("report", "对账报告"),
            "request": ("request", "定制需求"),
            "role": ("role", "角色"),
            "role request": ("role request", "角色申请"),
            "session": ("session", "会话"),
            "shipment": ("shipment", "包裹"),
            "stray": ("stray record", "记录"),
            "time": ("time", "时段"),
            "survey": ("question", "满意度评价"),
            "tracking number": ("tracking number", "快递单号"),
            "webhook": ("webhook", "回调地址"),
        }
    }


class Conflict(ShopError):
    """The state of things refuses; a repeat would refuse again until something changes."""

    code, status = "conflict", 409
    en, zh = "The current state does not allow that.", "当前状态不允许此操作。"


class IllegalTransition(Conflict):
    """The state machine has no such edge. What its members are in words stands in ``kernel.transition_texts``."""

    code = "illegal_transition"
    en, zh = "This {record} is {present}; it cannot {act}.", "该{record}{present}，不能{act}。"
    shown = ("machine", "state", "cause")

    def detail(self, language: str = "en") -> str:
        """Return the sentence for a person: which record, how it stands, what cannot be done."""
        from chalicelib.kernel.transition_texts import TRANSITIONS  # Few requests are refused so.

        machine, state, cause = (str(self.params.get(name, "")) for name in self.shown)
        texts = TRANSITIONS.get(machine)
        if texts is None or state not in texts.states or cause not in texts.causes:
            return said(_NOT_NOW, language)
        return said((self.en, self.zh), language).format(
            record=said(texts.record, language),
            present=said(texts.states[state], language),
            act=said(texts.causes[cause], language),
        )

    def __str__(self) -> str:
        """Say which edge is missing: to logs and developers."""
        return f"{self.code}: {' '.join(str(self.params.get(name, '')) for name in self.shown)}"


class AlreadyExists(Conflict):
    """A record with this key is there already. ``item`` holds its raw attributes where the store returned them."""

    code = "already_exists"
    en, zh = "It exists already.", "记录已存在。"


class ConcurrentUpdate(Conflict):
    """Somebody changed the record between our read and our write. Reading again and repeating is safe."""

    code = "concurrent_update"
    en, zh = "It was changed at the same moment; read it again.", "记录刚被修改，请刷新后重试。"


class IdempotencyKeyReused(ShopError):
    """The key was used with another body (draft-ietf-httpapi-idempotency-key-header, section 2.7)."""

    code, status = "idempotency_key_reused", 422
    en = "This Idempotency-Key was used with another request."
    zh = "该 Idempotency-Key 已用于其他请求。"


class CurrencyMismatch(ShopError):
    """Two amounts of different currencies met."""

    code, status = "currency_mismatch", 422
    en, zh = "Expected {have}, got {got}.", "币种应为 {have}，实际为 {got}。"
    shown = ("have", "got")


class TooLarge(ShopError):
    """The body is over the route's cap."""

    code, status = "too_large", 413
    en, zh = "The body is over {cap_bytes} bytes.", "请求内容超过 {cap_bytes} 字节。"
    shown = ("cap_bytes",)


class HeadersTooLarge(ShopError):
    """Request line and headers are longer than API Gateway takes: it refuses them before anything of ours runs."""

    code, status = "headers_too_large", 431
    en, zh = "The request line and headers are over 10,240 bytes.", "请求行与请求头合计超过 10240 字节。"


class Throttled(ShopError):
    """Too many attempts."""

    code, status = "too_many_requests", 429
    en, zh = "Too many attempts; wait {wait_s} seconds.", "尝试次数过多，请在 {wait_s} 秒后重试。"
    shown: ClassVar[tuple[str, ...]] = ("wait_s",)


class Busy(ShopError):
    """Contention or throttling outlasted our retries. Nothing was written."""

    code, status = "busy", 503
    en, zh = "Busy; nothing was changed, try again.", "系统繁忙，未作任何更改，请重试。"
    retry_after_s = 1


class Misconfigured(ShopError):
    """The installation lacks something only its operator can add."""

    code, status = "misconfigured", 500
    en, zh = "The service is not set up for this.", "服务尚未完成此项配置。"

    def __str__(self) -> str:
        """Say what is missing: to logs and to the operator's tools, not to whoever asked."""
        return f"{self.code}: {self.params.get('why', self.detail())}"


class RetryLater(Exception):
    """Raised by a consumer: not now, deliver this message again after ``delay_s`` seconds."""

    def __init__(self, why: str, *, delay_s: int) -> None:
        super().__init__(why)
        self.why = why
        self.delay_s = delay_s
