"""The templates that the carriers here have approved, by their numbers, in the carriers' own words."""

from __future__ import annotations

SIGN = "便单"
TENCENT: dict[str, tuple[str, str]] = {
    # Number -> name.language and text; parameters are counted from 1.
    "1110": ("code.zh", "您的验证码为 {1}，{2} 分钟内有效，请勿告知他人。"),
    "1111": ("code.en", "{1} is your code, valid for {2} minutes. Never give it to anybody."),
    "1120": ("registered.zh", "该号码已注册过账号，请直接登录或重置密码。如非本人操作，请忽略。"),
    "1121": (
        "registered.en",
        "This number has an account already: sign in, or ask for a new password. If this was not you, do nothing.",
    ),
    "1130": ("unregistered.zh", "该号码尚未注册账号，您可能使用了其他联系方式。如非本人操作，请忽略。"),
    "1131": ("unregistered.en", "This number has no account with us: perhaps you registered with another contact."),
    "1140": ("password.zh", "您账号的密码已修改。如非本人操作，请立即重置密码。"),
    "1141": ("password.en", "The password of your account was changed. If this was not you, set a new one at once."),
    "1150": (
        "invitation.zh",
        "{1}邀请您担任{2}。请用本号码登录并输入邀请码 {3}，{4} 天内有效。如不了解该商家，请忽略。",
    ),
    "1151": (
        "invitation.en",
        (
            "{1} invites you as {2}. Sign in with this number and enter {3} within {4} days. "
            "If you do not know them, do nothing."
        ),
    ),
}
PARAMETERS = {"code": ("code", "minutes"), "invitation": ("merchant", "post", "token", "days")}
"""Name -> its parameters in their order; the others have none."""


def setting() -> str:
    """Return what ``BIANDAN_SMS_TEMPLATES`` says of these."""
    return ",".join(f"{name}:{number}" for number, (name, _) in TENCENT.items())


def aliyun_number(number: str) -> str:
    """Return the other carrier's number of the same template."""
    return f"SMS_{number}"


def aliyun_setting() -> str:
    """Return the setting for the other carrier."""
    return ",".join(f"{name}:{aliyun_number(number)}" for number, (name, _) in TENCENT.items())


def filled(number: str, values: list[str]) -> str | None:
    """Return what a person reads; None if the number of parameters does not fit."""
    name, text = TENCENT[number]
    if len(values) != len(PARAMETERS.get(name.split(".")[0], ())):
        return None
    for position, value in enumerate(values, 1):
        text = text.replace(f"{{{position}}}", value)
    return f"【{SIGN}】{text}"
