"""The privacy notice, written from the inventory: as a page, and as Markdown for the repository. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from chalicelib.privacy.holdings import HOLDINGS
from chalicelib.privacy.inventory import GROUNDS, RECEIVERS, Holding, Text

VERSION = 1
"""Grows with every change of what is said: whoever agreed, agreed to one version."""

TITLE = Text("Privacy notice", "隐私政策")
_LEAD = Text(
    "What this shop holds of a person, what for, on which ground, and for how long. What is not listed is not kept.",
    "本店处理哪些个人信息、用于什么目的、依据什么、保存多久。未列出的信息不予保存。",
)
_COLUMNS = (
    Text("What", "信息"),
    Text("What for", "处理目的"),
    Text("Ground", "处理依据"),
    Text("How long", "保存期限"),
    Text("Given to", "提供给"),
)
_SENSITIVE = Text("sensitive", "敏感个人信息")
_SEALED = Text("encrypted in its row", "字段级加密")
_NOBODY = Text("nobody", "不对外提供")
_RECEIVERS = Text("Who is given something", "向第三方提供的情况")
_RIGHTS = Text("Your rights", "您的权利")
RIGHTS: tuple[Text, ...] = (
    Text(
        "See who was shown where your parcels go: merchants, and the platform's staff with their reasons.",
        "查阅记录：可查看谁（商家、平台人员及其理由）查看过您的收件信息。",
    ),
    Text(
        "Agree, or not, to each purpose that is not needed for your orders, and withdraw as easily: it counts at once.",
        "同意与撤回：对非必需的用途逐项征得您的同意，撤回与同意同样便捷，立即生效。",
    ),
    Text(
        "Have a copy of everything, as one archive to read and to take elsewhere: in minutes, for three days.",
        "复制、转移：可申请一份包含全部个人信息的副本，数分钟内生成，三天内可下载。",
    ),
    Text(
        "See and correct what you gave us: nickname, language, address book.",
        "查阅、更正：昵称、语言与地址簿可随时查看和修改。",
    ),
    Text(
        "Be forgotten: after a week to think better of it, as soon as no open order, money or complaint needs it.",
        "注销与删除：申请后有七天反悔期；无未结订单、款项或投诉时自动删除。",
    ),
    Text(
        "Records that the law wants kept (orders, money) are kept for their years, and used for nothing else.",
        "法律要求留存的记录（交易、资金）在法定期限内仅作存储，不作他用。",
    ),
)


def receivers(holding: Holding, language: str) -> str:
    """Return in words who is given it."""
    names = [receiver.words.said(language) for receiver in RECEIVERS if receiver.name in holding.seen_by]
    return _join(names, language) or _NOBODY.said(language)


def marks(holding: Holding, language: str) -> list[str]:
    """Return what is special about it."""
    return [
        mark.said(language) for mark, holds in ((_SENSITIVE, holding.sensitive), (_SEALED, holding.sealed)) if holds
    ]


def rows(language: str) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield the table, a row a holding."""
    for holding in HOLDINGS:
        what = holding.words.said(language)
        special = marks(holding, language)
        yield (
            f"{what} ({_join(special, language)})" if special else what,
            holding.purpose.words.said(language),
            GROUNDS[holding.purpose.ground].said(language),
            holding.keeping.words.said(language),
            receivers(holding, language),
        )


def _join(parts: list[str], language: str) -> str:
    return (", " if language == "en" else "、").join(parts)


def markdown() -> str:
    """Return both languages as one page of Markdown."""
    lines: list[str] = []
    for language in ("zh", "en"):
        lines += [
            f"{'#' if language == 'zh' else '##'} {TITLE.said(language)}",
            "",
            _LEAD.said(language),
            "",
            "| " + " | ".join(column.said(language) for column in _COLUMNS) + " |",
            "|" + "---|" * len(_COLUMNS),
            *("| " + " | ".join(row) + " |" for row in rows(language)),
            "",
            f"### {_RECEIVERS.said(language)}",
            "",
            *(f"- {one.words.said(language)}: {one.why.said(language)}" for one in RECEIVERS),
            "",
            f"### {_RIGHTS.said(language)}",
            "",
            *(f"- {right.said(language)}" for right in RIGHTS),
            "",
        ]
    return "\n".join(lines)


def page(language: str) -> str:
    """Return one language as a page of its own, without scripts."""
    head = "".join(f"<th>{escape(column.said(language))}</th>" for column in _COLUMNS)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows(language))
    given = "".join(
        f"<li>{escape(one.words.said(language))}: {escape(one.why.said(language))}</li>" for one in RECEIVERS
    )
    rights = "".join(f"<li>{escape(right.said(language))}</li>" for right in RIGHTS)
    title = escape(TITLE.said(language))
    return (
        f'<!doctype html><html lang="{"en" if language == "en" else "zh-CN"}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title><style>{_STYLE}</style></head>'
        f"<body><h1>{title}</h1><p>{escape(_LEAD.said(language))}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<h2>{escape(_RECEIVERS.said(language))}</h2><ul>{given}</ul>"
        f"<h2>{escape(_RIGHTS.said(language))}</h2><ul>{rights}</ul></body></html>"
    )


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}th,td{border:1px solid #ccc;padding:.3rem .5rem;text-align:left;vertical-align:top}"
)
