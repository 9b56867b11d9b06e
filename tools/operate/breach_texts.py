"""The words of notices about a breach, in Chinese and English, and the law's clock. Pure data.

PIP 57 wants to know: which kinds, why, what harm may come, what is done, what people can do, whom to ask. NDR 11 wants
people told at once; the rules on reporting incidents want a first report within hours and one that closes it.
"""

from __future__ import annotations

from datetime import timedelta

from chalicelib.privacy.inventory import Text

FIRST_REPORT = timedelta(hours=4)
CRITICAL_REPORT = timedelta(hours=1)
"""Of whoever runs critical infrastructure."""
CLOSING_REPORT = timedelta(days=30)
LARGER_FROM = 1_000_000
"""So many persons make it a larger incident by itself."""

HARMS: tuple[tuple[frozenset[str], Text], ...] = (
    (
        frozenset({"contacts", "address_book", "delivery", "phone_tail", "parcels", "merchant_contact", "messages"}),
        Text("calls, messages and visits by strangers; fraud that names your order", "骚扰、冒充客服或物流的诈骗"),
    ),
    (
        frozenset({"password", "sessions", "code_digests", "mini_session", "links", "identity_digests"}),
        Text("attempts to sign in as you, here and where you use the same password", "账号被冒用、撞库登录"),
    ),
    (
        frozenset({"payments", "payee", "bills", "unpaid"}),
        Text("fraud that names your payments; attempts on the account named there", "以付款或退款为由的诈骗、资金风险"),
    ),
    (
        frozenset({"complaints", "evidence", "uploads", "note"}),
        Text("what you wrote or showed in confidence becomes known", "沟通内容、图片等隐私外泄"),
    ),
    (
        frozenset({"archive"}),
        Text("all of the above: an archive holds everything", "以上全部：副本包含您的全部信息"),
    ),
)
OTHER_HARM = Text("others learn that you shop here, and what", "他人获知您的购物情况")

ADVICE: tuple[tuple[frozenset[str], Text], ...] = (
    (
        frozenset({"password", "sessions", "contacts", "mini_session", "links"}),
        Text("Set a new password, end all sessions, add a second factor.", "请修改密码、退出全部登录并开启第二验证。"),
    ),
    (
        frozenset({"delivery", "address_book", "contacts", "payments", "payee", "phone_tail"}),
        Text(
            "Trust no call or message that asks for codes or money, even if it names your order.",
            "请勿轻信索要验证码或钱款的来电、短信，即使对方说得出您的订单。",
        ),
    ),
    (frozenset({"payee"}), Text("Watch the account that refunds were sent to.", "请留意收款账户的异常变动。")),
)
OTHER_ADVICE = Text("You need not do anything.", "您无需采取措施。")

AUTHORITY = Text(
    """# Report of a breach of personal information

To the department that protects personal information (PIP 57; NDR 11).

| | |
|---|---|
| found | {found} |
| what happened | {cause} |
| persons concerned | {persons}{larger} |
| rows looked at, without a person | {nobodys} |
| kinds of information | {kinds} |
| of it sensitive | {sensitive} |
| encrypted where it lay, keys safe | {sealed} |
| harm that may come | {harms} |
| what was and is done | {measures} |
| whom to ask | {contact} |
| persons are told | {telling} |

## Clock

| what | until |
|---|---|
| first report | {first} (an operator of critical infrastructure: {critical}) |
| notice to persons | at once |
| closing report, {days} days after it is dealt with | {closing}, were it dealt with when it was found |
""",
    """# 个人信息安全事件报告

报送：履行个人信息保护职责的部门（个人信息保护法第57条、网络数据安全管理条例第11条）

| | |
|---|---|
| 发现时间 | {found} |
| 事件原因 | {cause} |
| 涉及人数 | {persons}{larger} |
| 未关联到个人的记录数 | {nobodys} |
| 信息种类 | {kinds} |
| 其中敏感个人信息 | {sensitive} |
| 字段级加密且密钥安全 | {sealed} |
| 可能造成的危害 | {harms} |
| 已采取及拟采取的措施 | {measures} |
| 联系方式 | {contact} |
| 告知个人情况 | {telling} |

## 时限

| 事项 | 截止 |
|---|---|
| 首次报告 | {first}（关键信息基础设施运营者：{critical}） |
| 告知个人 | 立即 |
| 处置结束后 {days} 日内总结报告 | 如发现时即处置结束，为 {closing} |
""",
)
LARGER = Text(" (a larger incident by its size)", "（达到较大事件规模）")
PERSON = Text(
    """# Your personal information was concerned by a security incident

Found on {found}: {cause}

**What of yours:** {kinds}

**What may come of it:** {harms}

**What we did and do:** {measures}

**What you can do:** {advice}

**Whom to ask:** {contact}. You may also have everything we hold of you, or be forgotten: sign in, under "privacy".
""",
    """# 关于您个人信息的安全事件告知

我们于 {found} 发现：{cause}

**涉及您的信息：**{kinds}

**可能造成的危害：**{harms}

**我们已采取和将采取的措施：**{measures}

**您可以采取的措施：**{advice}

**联系方式：**{contact}。您也可以登录后在“隐私”中获取个人信息副本或申请注销。
""",
)
TOLD = Text("all of them, with {count} wordings: see the other files", "全部告知，共 {count} 种内容，见同目录文件")
NOT_TOLD = Text(
    "not yet: all of it was encrypted and the keys are safe, which keeps harm away (PIP 57, 2); you may order it",
    "暂不告知：涉及信息均已加密且密钥安全，能够有效避免危害（第57条第2款）；如认为可能造成危害可要求告知",
)
NONE = Text("none", "无")
