"""What messages say, in Chinese and English, as data. A carrier's template is approved in its console under the same
words; its number is a setting (``BIANDAN_SMS_TEMPLATES``), and ``fields`` are its parameters in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.consents.service import MARKETING
from chalicelib.kernel.texts import Texts, said
from chalicelib.notifications.fact_templates import FACT_TEMPLATES
from chalicelib.notifications.template import Template

_CODE = ("code", "minutes")
_SHORT_CODE = (
    "{code} is your code, valid for {minutes} minutes. Never give it to anybody.",
    "您的验证码为 {code}，{minutes} 分钟内有效，请勿告知他人。",
)


def _code(subject: Texts, why: Texts) -> Template:
    rest = (
        "It is valid for {minutes} minutes. We never ask for it: give it to nobody. If this was not you, do nothing.",
        "验证码 {minutes} 分钟内有效。我们不会向您索要验证码，请勿告知他人。如非本人操作，请忽略本消息。",
    )
    body = (f"{why[0]}\n\n{{code}}\n\n{rest[0]}\n", f"{why[1]}\n\n{{code}}\n\n{rest[1]}\n")
    return Template(subject, body, _SHORT_CODE, "code", _CODE)


TEMPLATES: Mapping[str, Template] = {
    "code_sign_in": _code(("Your sign-in code", "登录验证码"), ("Sign in with this code:", "您正在登录，验证码：")),
    "code_register": _code(
        ("Confirm your address", "注册验证码"), ("Finish your registration with this code:", "您正在注册，验证码：")
    ),
    "code_reset": _code(
        ("Set a new password", "重置密码验证码"), ("Set a new password with this code:", "您正在重置密码，验证码：")
    ),
    "code_verify": _code(
        ("Verify your contact", "绑定验证码"),
        ("Show with this code that this contact is yours:", "您正在验证联系方式，验证码："),
    ),
    "code_prove": _code(
        ("Show that it is you", "身份确认验证码"), ("Show with this code that it is you:", "您正在确认身份，验证码：")
    ),
    "code_take_back": _code(
        ("Take your account back", "取回账号验证码"),
        ("Take your account back with this code:", "您正在取回账号，验证码："),
    ),
    "contact_changed": Template(
        ("Your account has another contact now", "账号联系方式已更换"),
        (
            (
                "Your account was changed to another contact, and this one opens it no more. If this was not you, take "
                "it back within {days} days: choose “take my account back” where you sign in, and give this contact. "
                "The password and all ways to sign in that were added since end then.\n"
            ),
            (
                "您的账号已更换为其他联系方式，此联系方式不再可用于登录。如非本人操作，请在 {days} 天内"
                "于登录页选择“取回账号”并填写此联系方式；取回后，密码及此后新增的登录方式将全部失效。\n"
            ),
        ),
        (
            (
                "Your account was changed to another number. If this was not you, take it back where you sign in, "
                "within {days} days."
            ),
            "您的账号已更换手机号。如非本人操作，请在 {days} 天内于登录页取回账号。",
        ),
        "contact",
        ("days",),
    ),
    "contact_taken_back": Template(
        ("An account was taken back from this contact", "账号已被取回"),
        (
            (
                "An account that was changed to this contact was taken back by whoever reads the one of before. If it "
                "is yours, sign in with that one, or ask us.\n"
            ),
            "曾更换为此联系方式的账号，已由原联系方式的持有者取回。如该账号属于您，请使用原联系方式登录，或联系我们。\n",
        ),
        (
            "An account was taken back from this number by whoever reads the contact of before.",
            "曾更换为此手机号的账号，已由原联系方式的持有者取回。",
        ),
        "takenback",
    ),
    "passkey_added": Template(
        ("A passkey was added", "已添加通行密钥"),
        (
            (
                "A passkey was added to your account: whoever holds it can sign in. If this was not you, sign in, "
                "remove it, and sign out everywhere.\n"
            ),
            "您的账号已添加新的通行密钥，持有者可登录账号。如非本人操作，请登录后将其移除，并退出所有设备。\n",
        ),
        (
            "A passkey was added to your account. If this was not you, sign in and remove it.",
            "您的账号已添加新的通行密钥。如非本人操作，请登录后移除。",
        ),
        "passkey",
    ),
    "code_guardian": _code(
        ("A child names you as guardian", "监护人同意验证码"),
        (
            (
                "A child under 14 wants to use this shop and names you as guardian. Read the rules for children's data "
                "in the shop first. With this code you agree, take it back, or have everything deleted:"
            ),
            "有未满十四周岁的儿童申请使用本店并将您列为监护人。请先阅读店内《儿童个人信息保护规则》，再凭此验证码同意、撤回或要求删除：",
        ),
    ),
    "registered_already": Template(
        ("You have an account already", "您已注册过账号"),
        (
            (
                "Somebody, perhaps you, wanted to register with this contact. It has an account already: sign in, or "
                "ask for a new password. If this was not you, do nothing.\n"
            ),
            "有人（可能是您本人）尝试使用此联系方式注册，但它已有账号：请直接登录，或重置密码。如非本人操作，请忽略。\n",
        ),
        (
            "This number has an account already: sign in, or ask for a new password. If this was not you, do nothing.",
            "该号码已注册过账号，请直接登录或重置密码。如非本人操作，请忽略。",
        ),
        "registered",
    ),
    "not_registered": Template(
        ("There is no account with this contact", "该联系方式尚未注册"),
        (
            (
                "Somebody, perhaps you, wanted to set a new password here. This contact has no account with us: "
                "perhaps you registered with another one. If this was not you, do nothing.\n"
            ),
            "有人（可能是您本人）尝试重置密码，但此联系方式没有账号：您可能使用了其他联系方式注册。如非本人操作，请忽略。\n",
        ),
        (
            "This number has no account with us: perhaps you registered with another contact.",
            "该号码尚未注册账号，您可能使用了其他联系方式。如非本人操作，请忽略。",
        ),
        "unregistered",
    ),
    "invitation": Template(
        ("You are invited to work for a shop", "邀请您加入商家团队"),
        (
            (
                "{merchant} invites you as {post}. Sign in with this address, or register with it, and enter this "
                "token within {days} days:\n\n{token}\n\nIf you do not know them, do nothing. Give it to nobody.\n"
            ),
            (
                "{merchant} 邀请您担任{post}。请用本邮箱登录或注册，并在 {days} 天内输入邀请码：\n\n{token}\n\n"
                "如果您不了解该商家，请忽略。请勿将邀请码告知他人。\n"
            ),
        ),
        (
            (
                "{merchant} invites you as {post}. Sign in with this number and enter {token} within {days} days. "
                "If you do not know them, do nothing."
            ),
            "{merchant}邀请您担任{post}。请用本号码登录并输入邀请码 {token}，{days} 天内有效。如不了解该商家，请忽略。",
        ),
        "invitation",
        ("merchant", "post", "token", "days"),
    ),
    "password_changed": Template(
        ("Your password was changed", "密码已修改"),
        (
            (
                "The password of your account was changed, and every other device signed out. If this was not you, "
                "set a new one at once.\n"
            ),
            "您账号的密码已修改，其他设备均已退出登录。如非本人操作，请立即重置密码。\n",
        ),
        (
            "The password of your account was changed. If this was not you, set a new one at once.",
            "您账号的密码已修改。如非本人操作，请立即重置密码。",
        ),
        "password",
    ),
    "archive_ready": Template(
        ("Your data is ready", "个人信息副本已生成"),
        (
            (
                "The archive of everything this shop holds of you is ready. Sign in to fetch it: it is deleted after "
                "three days. If you did not ask for it, delete it there, and set a new password.\n"
            ),
            "您申请的个人信息副本已生成，请登录后下载，三天后自动删除。如非本人操作，请登录后删除该副本并重置密码。\n",
        ),
        (
            "The archive of your data is ready: sign in to fetch it within three days.",
            "您申请的个人信息副本已生成，请在三天内登录下载。",
        ),
        "archive",
    ),
    "offer": Template(
        ("{title}", "{title}"),
        (
            (
                "{text}\n\nYou get this because you agreed to messages about offers. Sign in to withdraw that under "
                "“Messages about offers”: it counts at once.\n"
            ),
            "{text}\n\n您收到此消息，是因为您同意接收营销信息。登录后可在“接收营销信息”中随时撤回，立即生效。\n",
        ),
        ("{title}: {text} To get no more, sign in and withdraw.", "{title}：{text} 拒收请登录后撤回同意。"),
        "offer",
        ("title", "text"),
        MARKETING,
    ),
    **FACT_TEMPLATES,
}

APPROVED = tuple(sorted({template.approved for template in TEMPLATES.values()}))
"""The templates that a carrier must have approved, in each language."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message in words."""

    subject: str
    body: str
    short: str


def fill(name: str, language: str, values: Mapping[str, str]) -> Said:
    """Return what a message says.

    Raises:
        KeyError: if there is no such template, or a field has no value.
    """
    template = TEMPLATES[name]
    missing = set(template.fields) - set(values)
    if missing:
        raise KeyError(f"{name} lacks {sorted(missing)}")

    def filled(texts: Texts) -> str:
        return said(texts, language).format(**{field: values[field] for field in template.fields})

    return Said(filled(template.subject), filled(template.body), filled(template.short))
