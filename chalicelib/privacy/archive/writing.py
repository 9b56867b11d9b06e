"""Writes an archive: JSON for machines and pages for people, in Chinese and English, into a zip on the disk.

Each part is written and let go, so an archive takes the memory of its largest part, however long somebody was here.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from html import escape
from typing import IO, Any

from chalicelib.privacy.archive.labels import label
from chalicelib.privacy.archive.sections import EXPORTERS, SECTIONS, File, Part, Section
from chalicelib.privacy.holdings import HOLDINGS
from chalicelib.privacy.inventory import GROUNDS, Text
from chalicelib.runtime import objects

LANGUAGES = ("zh", "en")
_TITLE = Text("Everything this shop holds of you", "本店持有的您的全部个人信息")
_COLUMNS = (
    Text("What", "信息"),
    Text("What for", "处理目的"),
    Text("Ground", "处理依据"),
    Text("How long", "保存期限"),
    Text("Where in this archive", "所在位置"),
)
_PARTS = Text("Pages", "页面")
_EMPTY = Text("nothing is held", "无")
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:.3rem 0}"
    "th,td{border:1px solid #ccc;padding:.2rem .5rem;text-align:left;vertical-align:top}"
)


class Writer:
    """An archive that is being written; ``file`` may hold what earlier steps wrote."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED)

    def add(self, section: Section, number: int, part: Part, files: Iterable[File]) -> None:
        """Add one part of a section and those of its files that fit."""
        name = f"{section.name}/{number:04}"
        self._text(f"{name}.json", _json({"section": section.name, "records": part.records}))
        for language in LANGUAGES:
            body = "".join(_shown(record, language) for record in part.records)
            self._text(f"{name}.{language}.html", _page(section.title.said(language), body, language))
        for file in files:
            with self._zip.open(f"files/{file.name}", "w", force_zip64=True) as target:
                objects.copy_to(file.key, target)

    def finish(self, facts: dict[str, Any]) -> None:
        """Add the first page, which says what is where and what is not handed out, and why."""
        names = [name for name in self._zip.namelist() if name.endswith(".json")]
        holdings = [
            {
                "name": holding.name,
                "section": exporter if isinstance(exporter, str) else None,
                "withheld": None if isinstance(exporter, str) else {"en": exporter.en, "zh": exporter.zh},
            }
            for holding in HOLDINGS
            for exporter in (EXPORTERS[holding.name],)
        ]
        self._text("manifest.json", _json({**facts, "holdings": holdings, "parts": names}))
        for language in LANGUAGES:
            self._text(f"index.{language}.html", _index(facts, names, language))

    @property
    def size(self) -> int:
        """Return how many bytes it has so far."""
        return self._zip.start_dir

    def close(self) -> None:
        """Write the table of contents."""
        self._zip.close()

    def _text(self, name: str, text: str) -> None:
        self._zip.writestr(name, text)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)


def _index(facts: dict[str, Any], names: list[str], language: str) -> str:
    head = "".join(f"<th>{escape(column.said(language))}</th>" for column in _COLUMNS)
    titles = {section.name: section.title.said(language) for section in SECTIONS}
    rows = []
    for holding in HOLDINGS:
        exporter = EXPORTERS[holding.name]
        where = titles[exporter] if isinstance(exporter, str) else exporter.said(language)
        words = (
            holding.words.said(language),
            holding.purpose.words.said(language),
            GROUNDS[holding.purpose.ground].said(language),
            holding.keeping.words.said(language),
            where,
        )
        rows.append("<tr>" + "".join(f"<td>{escape(word)}</td>" for word in words) + "</tr>")
    links = []
    for section in SECTIONS:
        parts = [name.removesuffix(".json") for name in names if name.startswith(f"{section.name}/")]
        shown = " ".join(f'<a href="{name}.{language}.html">{at}</a>' for at, name in enumerate(parts, 1))
        links.append(f"<li>{escape(section.title.said(language))}: {shown or escape(_EMPTY.said(language))}</li>")
    body = (
        f"{_shown(facts, language)}<h2>{escape(_PARTS.said(language))}</h2><ul>{''.join(links)}</ul>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
    return _page(_TITLE.said(language), body, language)


def _page(title: str, body: str, language: str) -> str:
    tongue = "en" if language == "en" else "zh-CN"
    return (
        f'<!doctype html><html lang="{tongue}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def _shown(value: Any, language: str) -> str:
    """Return a value for people: tables within tables, sums as sums."""
    if isinstance(value, dict) and set(value) == {"minor", "currency"}:
        from chalicelib.kernel.money import MINOR_DIGITS

        digits = MINOR_DIGITS.get(value["currency"], 2)
        return escape(f"{value['minor'] / 10**digits:.{digits}f} {value['currency']}")
    if isinstance(value, dict):
        rows = "".join(
            f"<tr><th>{escape(label(name, language))}</th><td>{_shown(one, language)}</td></tr>"
            for name, one in value.items()
        )
        return f"<table>{rows}</table>"
    if isinstance(value, list):
        return "".join(f"<div>{_shown(one, language)}</div>" for one in value)
    return escape(str(value))
