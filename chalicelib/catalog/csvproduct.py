"""The lines of a file to a product: the meaning of every column. Pure. The way back is ``csvwriter``.

A column that the file lacks leaves its value as it is, everywhere; an empty cell in a column that is there empties it,
except where nothing could be meant by that (prices, stock, kind, status, category).
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from chalicelib.catalog import csvvariants
from chalicelib.catalog.csvcells import Reader
from chalicelib.catalog.csvcolumns import VARIANT_COLUMNS
from chalicelib.catalog.csvfile import Finding, Group, with_the_rest
from chalicelib.catalog.csvwriter import Writer
from chalicelib.catalog.domain import (
    LABEL_CHARS,
    LANGUAGES,
    MARKUP_CAP,
    MAX_PICTURES,
    MAX_TAGS,
    TAG_CHARS,
    TITLE_CHARS,
    ByLanguage,
    Draft,
    Kind,
    Product,
    SkuDraft,
    Status,
    Tree,
)
from chalicelib.kernel.text import CONTROLS

__all__ = ["Parsed", "Writer", "merged", "read"]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A product of the file. None in a draft, and as its status: leave it as it is."""

    handle: str
    line: int
    draft: Draft
    status: Status | None
    stock: Mapping[tuple[str, ...], int]
    """Units by option values, where the file says them."""
    notes: tuple[Finding, ...] = ()
    """What its merchant should know."""


_HANDLE: Final = re.compile(r"[a-z0-9\u0080-\uffff][a-z0-9_\-\u0080-\uffff]{0,199}")
_CJK: Final = re.compile("[\u3400-\u9fff]")
_STATUSES: Final = {
    "active": Status.LISTED,
    "draft": Status.DRAFT,
    "archived": Status.UNLISTED,
    "unlisted": Status.UNLISTED,
}
_NO_TEXT: Final = re.compile(f"{CONTROLS.pattern}|[\\ud800-\\udfff]")
_MAX_SPECIFICATIONS: Final = 60
_NAME_CHARS: Final = 60
_VALUE_CHARS: Final = 500


def read(
    group: Group, *, columns: Iterable[str], currency: str, tree: Tree, known: Product | None = None
) -> tuple[Parsed | None, list[Finding]]:
    """Return the product of these lines, or every reason why not (then each of its lines is named).

    ``known`` is the product that has the handle, if there is one; ``currency`` that of prices whose line says none.
    """
    reader = Reader(group, columns, currency, known)
    _check_lines(reader)
    if reader.faults:
        return None, with_the_rest(group, reader.faults) if group.handle else reader.faults
    options, skus, stock = csvvariants.read(reader)
    status = csvvariants.shown(reader, _status(reader), stock)
    draft = Draft(
        titles=_titles(reader),
        kind=_kind(reader),
        category_id=_category(reader, tree),
        options=options,
        skus=skus,
        description=_description(reader),
        specifications=_specifications(reader),
        pictures=_pictures(reader),
        vendor=reader.text(reader.first, "Vendor", LABEL_CHARS) if reader.has("Vendor") else None,
        type=reader.text(reader.first, "Type", LABEL_CHARS) if reader.has("Type") else None,
        tags=_tags(reader),
    )
    if reader.faults:
        return None, with_the_rest(group, reader.faults)
    if known is not None:
        draft = merged(draft, known, reader.columns)
    return Parsed(group.handle, reader.first.line, draft, status, stock, tuple(reader.notes)), []


def _check_lines(reader: Reader) -> None:
    """Refuse lines that are broken before anything is read from them."""
    group = reader.group
    if group.problem:
        reader.fault(reader.first, "", group.problem)
        return
    for line in group.lines:
        if line.problem:
            reader.fault(line, "", line.problem, most=csv.field_size_limit())
        elif not group.handle:
            reader.fault(line, "Handle", "handle_missing")
        for column in line.controls:
            reader.fault(line, column, "control_character")
    if group.handle and not reader.faults and not _HANDLE.fullmatch(group.handle):
        reader.fault(reader.first, "Handle", "bad_handle")


# ByLanguage in two languages


def _titles(reader: Reader) -> ByLanguage | None:
    title = reader.text(reader.first, "Title", TITLE_CHARS)
    english = reader.text(reader.first, "Title (en)", TITLE_CHARS)
    known = reader.known
    if known is not None and not reader.has("Title", "Title (en)"):
        return None
    if not title and not english:
        code = "title_missing" if reader.has("Title", "Title (en)") else "column_missing"
        reader.fault(reader.first, "Title", code, value="Title")
        return None
    return _texts(reader, "title", ("Title", title), ("Title (en)", english), known.titles if known else {})


def _description(reader: Reader) -> ByLanguage | None:
    if not reader.has("Body (HTML)", "Body (en)"):
        return None
    from chalicelib.catalog.markup import clean  # Readers of products do not need a parser.

    body = reader.text(reader.first, "Body (HTML)", MARKUP_CAP)
    english = reader.text(reader.first, "Body (en)", MARKUP_CAP)
    for column, html in (("Body (HTML)", body), ("Body (en)", english)):
        if clean(html) != html:
            reader.note(reader.first, column, "description_cleaned")
    held = reader.known.description if reader.known else {}
    texts = _texts(reader, "description", ("Body (HTML)", body), ("Body (en)", english), held)
    return None if texts == held else texts  # Cleaning what was cleaned is no change.


def _texts(reader: Reader, what: str, plain: tuple[str, str], english: tuple[str, str], held: ByLanguage) -> ByLanguage:
    """Return a text by language.

    Where the file has one of the two columns only, a text that it changes would keep its old wording in the other
    language: that goes too, or (if the file speaks of English alone) it is said that it stays.
    """
    (column, text), (english_column, in_english) = plain, english
    if reader.has(column) and reader.has(english_column):
        return _by_language(text, in_english, _language(reader, text, held, in_english))
    if reader.has(column):
        language = _language(reader, text, held, "")
        if text and text == held.get(language):
            return held
        if any(name != language for name in held):
            reader.note(reader.first, column, f"{what}_replaced")
        return {language: text} if text else {}
    if in_english != held.get("en", "") and "zh" in held:
        reader.note(reader.first, english_column, f"{what}_kept")
    rest = {name: value for name, value in held.items() if name != "en"}
    return {**rest, "en": in_english} if in_english else rest


def _language(reader: Reader, text: str, held: ByLanguage, beside: str) -> str:
    """Return which language the plain column is in: what the file says, what it was, or what it looks like."""
    stated = reader.first.get("Language").casefold()
    if stated and stated not in LANGUAGES:
        reader.fault(reader.first, "Language", "bad_language")
    if stated in LANGUAGES:
        return stated
    if beside:
        return "zh"
    same = next((language for language in LANGUAGES if text and held.get(language) == text), None)
    return same or ("zh" if _CJK.search(text) else "en")


def _by_language(text: str, english: str, language: str) -> ByLanguage:
    found = {"en": english} if english else {}
    return {**found, language: text} if text else found


# What else is said once


def _kind(reader: Reader) -> Kind | None:
    kind = reader.first.get("Kind").casefold()
    if kind:
        if kind not in set(Kind):
            reader.fault(reader.first, "Kind", "bad_kind")
            return None
        return Kind(kind)
    column = "Variant Requires Shipping"
    said = [(line, reader.boolean(line, column)) for line in reader.group.lines if line.get(column)]
    was = reader.known.kind if reader.known else None
    if reader.boolean(reader.first, "Gift Card"):
        reader.note(reader.first, "Gift Card", "gift_card")
        return Kind.VIRTUAL
    ships = {ships for _, ships in said}
    if True in ships:
        if False in ships:
            reader.note(next(line for line, one in said if one is False), column, "kind_mixed")
        if was not in (None, Kind.PHYSICAL):
            reader.note(reader.first, column, "kind_changed")
        return Kind.PHYSICAL
    if False in ships:
        return was if was in (Kind.VIRTUAL, Kind.SERVICE) else Kind.VIRTUAL
    return None


def _category(reader: Reader, tree: Tree) -> str | None:
    """Return the category that ``Product Category`` or ``Type`` names; None if neither names one."""
    for column in ("Product Category", "Type"):
        found = tree.named(reader.first.get(column)) if reader.first.get(column) else None
        if found is not None:
            return found.category_id
    if reader.known is not None and reader.first.get("Product Category"):
        reader.note(reader.first, "Product Category", "category_kept")
    return None


def _specifications(reader: Reader) -> tuple[tuple[str, str], ...] | None:
    """Return the table of facts: a JSON object, or a list of pairs where a name repeats."""
    if not reader.has("Specifications"):
        return None
    text = reader.first.get("Specifications")
    if not text:
        return ()
    try:
        found: Any = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or len(found) > _MAX_SPECIFICATIONS or not all(map(_is_fact, found)):
        reader.fault(reader.first, "Specifications", "bad_specifications")
        return ()
    return tuple((name.strip(), value.strip()) for name, value in found)


def _is_fact(pair: Any) -> bool:
    if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(isinstance(one, str) for one in pair):
        return False
    name, value = (one.strip() for one in pair)
    if not _is_text(name) or not _is_text(value):
        return False
    return 1 <= len(name) <= _NAME_CHARS and 1 <= len(value) <= _VALUE_CHARS


def _is_text(text: str) -> bool:
    """Say whether what JSON has written with escapes is a text that a cell could hold as well."""
    return not _NO_TEXT.search(text)


def _tags(reader: Reader) -> tuple[str, ...] | None:
    if not reader.has("Tags"):
        return None
    found = tuple(dict.fromkeys(tag for tag in map(str.strip, _split_tags(reader.first.get("Tags"))) if tag))
    if len(found) > MAX_TAGS:
        reader.fault(reader.first, "Tags", "too_many_tags")
    if any(len(tag) > TAG_CHARS for tag in found):
        reader.fault(reader.first, "Tags", "tag_too_long")
    return found


def _split_tags(text: str) -> list[str]:
    """Return the tags between commas; those of an export that hold commas themselves come as a JSON list."""
    if text.startswith("["):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list) and all(isinstance(tag, str) and _is_text(tag) for tag in found):
            return found
    return text.split(",")


def _status(reader: Reader) -> Status | None:
    """Return what the file wants: where it says nothing, a new product is for sale, as Shopify has it."""
    text = reader.first.get("Status").casefold()
    published = reader.boolean(reader.first, "Published")
    if text and text not in _STATUSES:
        reader.fault(reader.first, "Status", "bad_status")
        return Status.DRAFT
    if text == "unlisted":
        reader.note(reader.first, "Status", "unlisted_hidden")
    if text:
        status = _STATUSES[text]
        return Status.UNLISTED if status is Status.LISTED and published is False else status
    if published is not None:
        return Status.LISTED if published else Status.DRAFT
    return None if reader.known is not None else Status.LISTED


def _pictures(reader: Reader) -> tuple[str, ...] | None:
    if not reader.has("Image Src"):
        return None
    placed: dict[str, int] = {}
    for line in reader.group.lines:
        url = reader.picture(line, "Image Src")
        position = reader.whole(line, "Image Position", "bad_position")
        if url is None or url in placed:
            continue
        placed[url] = position or 10_000
        if len(placed) > MAX_PICTURES:
            reader.fault(line, "Image Src", "too_many_pictures")
    return tuple(sorted(placed, key=lambda url: placed[url]))


def merged(draft: Draft, product: Product, columns: Iterable[str]) -> Draft:
    """Return the draft with what the file has no columns for filled in from the product as it is."""
    have = frozenset(columns)
    if draft.skus is None or have.isdisjoint(VARIANT_COLUMNS):
        return replace(draft, skus=None)
    known = {sku.options: sku for sku in product.skus}
    skus = []
    for sku in draft.skus:
        old = known.get(sku.options)
        if old is None:
            skus.append(sku)
            continue
        keep: dict[str, Any] = {
            name: value
            for name, named, value in (
                ("price", ("Variant Price",), old.price),
                ("compare_at", ("Variant Compare At Price",), old.compare_at),
                ("weight_g", ("Variant Grams", "Variant Weight"), old.weight_g),
                ("picture", ("Variant Image",), old.picture),
                ("code", ("Variant SKU",), old.code),
            )
            if have.isdisjoint(named)
        }
        skus.append(replace(sku, **keep))
    return replace(draft, skus=(*skus, *_unnamed(draft.skus, product, have)))


def _unnamed(drafts: Iterable[SkuDraft], product: Product, have: frozenset[str]) -> list[SkuDraft]:
    """Return the variants that the file does not speak of, where it has no columns that could list them all."""
    if all(f"Option{axis} Value" in have for axis in range(1, len(product.options) + 1)):
        return []
    named = {sku.options for sku in drafts}
    return [
        SkuDraft(sku.options, sku.price, sku.compare_at, sku.weight_g, sku.picture, sku.code)
        for sku in product.skus
        if sku.options not in named
    ]
