"""Why a line of a file was refused, and what was not taken over as it stood: every code with its words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chalicelib.catalog.domain import MAX_PICTURES, MAX_SKUS, MAX_TAGS, TAG_CHARS
from chalicelib.kernel.texts import Texts

REASONS: Final[Mapping[str, Texts]] = {
    "column_missing": ("The file has no column {value}.", "文件缺少 {value} 列。"),
    "column_repeated": ("The column {value} stands there twice.", "列 {value} 重复。"),
    "too_many_columns": ("The file has too many columns (at most {most}).", "列数过多（最多 {most} 列）。"),
    "empty_file": ("The file is empty.", "文件为空。"),
    "unclosed_quote": ("A quotation mark is not closed.", "引号没有闭合。"),
    "bad_encoding": (
        "The line is not valid text: save the file as UTF-8, or name its encoding.",
        "该行编码有误，请将文件另存为 UTF-8，或指定文件编码。",
    ),
    "control_character": ("The text holds control characters.", "内容包含控制字符。"),
    "too_many_cells": ("The line has more cells than the header.", "该行单元格数多于表头。"),
    "cell_too_long": ("The text is too long (at most {most} characters).", "内容过长（最多 {most} 个字符）。"),
    "record_too_long": ("The line is too long.", "该行过长。"),
    "handle_missing": ("The line has no handle.", "缺少 Handle。"),
    "bad_handle": (
        "A handle is made of lower-case letters, digits, - and _.",
        "Handle 只能包含小写字母、数字、- 和 _。",
    ),
    "handle_repeated": (
        "The lines of one product must stand together; this handle came before.",
        "同一商品的各行必须相邻，此 Handle 已在前文出现。",
    ),
    "title_missing": ("The first line of a product needs a title.", "商品首行必须有标题。"),
    "bad_price": (
        "A price is a number above zero like 19.90, without signs or spaces, with the decimals of its currency.",
        "价格须为大于零的数字，如 19.90。",
    ),
    "price_missing": ("The variant has no price.", "缺少价格。"),
    "bad_currency": (
        "This is not a currency that anybody here is paid in, or not the one of the product's first line.",
        "不支持该币种，或与该商品首行的币种不一致。",
    ),
    "bad_language": ("Only zh or en.", "只能填写 zh 或 en。"),
    "bad_quantity": ("A quantity is a whole number from 0 to 10000000.", "库存须为 0 到 10000000 的整数。"),
    "bad_policy": ("Only deny or continue.", "只能填写 deny 或 continue。"),
    "bad_weight": (
        "A weight is a number of grams, or one with its unit (g, kg, oz, lb).",
        "重量须为克数，或带单位（g、kg、oz、lb）的数字。",
    ),
    "bad_boolean": ("Only TRUE or FALSE.", "只能填写 TRUE 或 FALSE。"),
    "bad_status": (
        "Only active, draft, archived or unlisted.",
        "只能填写 active、draft、archived 或 unlisted。",
    ),
    "bad_kind": ("Only physical, virtual or service.", "只能填写 physical、virtual 或 service。"),
    "bad_picture": ("A picture is one http(s) address.", "图片须为一个 http(s) 地址。"),
    "bad_position": ("A position is a whole number.", "图片位置须为整数。"),
    "too_many_pictures": (f"A product has at most {MAX_PICTURES} pictures.", f"每个商品最多 {MAX_PICTURES} 张图片。"),
    "too_many_tags": (f"A product has at most {MAX_TAGS} tags.", f"每个商品最多 {MAX_TAGS} 个标签。"),
    "tag_too_long": (f"A tag has at most {TAG_CHARS} characters.", f"每个标签最多 {TAG_CHARS} 个字符。"),
    "bad_specifications": (
        "Specifications are a JSON object of at most 60 texts: names up to 60 characters, values up to 500.",
        "Specifications 须为 JSON 对象，最多 60 项，名称不超过 60 字，值不超过 500 字。",
    ),
    "option_name_missing": ("The option has values but no name.", "规格有值但没有名称。"),
    "option_value_missing": ("The variant has no value for this option.", "缺少规格值。"),
    "sku_repeated": ("Another variant has the same option values.", "存在规格值完全相同的款式。"),
    "variant_unknown": (
        "The line does not say which variant it is: give the columns of its options, or its Variant SKU.",
        "无法确定该行对应的款式，请提供规格列或 Variant SKU。",
    ),
    "too_many_skus": (f"A product has at most {MAX_SKUS} variants.", f"每个商品最多 {MAX_SKUS} 个款式。"),
    "product_too_long": (
        "The lines of this product are longer than 4 MB, or more than 2000.",
        "该商品的内容超过 4 MB 或超过 2000 行。",
    ),
    "product_too_expensive": (
        "This product could not be taken in the time of one step; divide it, or import it again.",
        "该商品未能在单步时限内处理完毕，请拆分后重试或重新导入。",
    ),
    "unknown_category": (
        "There is no category of this name; correct it or give a default category.",
        "没有该名称的分类，请修改或指定默认分类。",
    ),
    "product_refused": (
        "Nothing is wrong with this line, but its product is refused for another one.",
        "该行无误，但所属商品因其他行有误未导入。",
    ),
    "too_many_lines": (
        "The file has more than 100000 lines; what stands before this one was imported. Divide the file.",
        "文件超过 100000 行，此行之前的内容已导入，请拆分文件。",
    ),
    "too_many_refusals": (
        "More than 10000 lines were refused; the import ends here. What was good before this line was imported.",
        "被拒绝的行超过 10000 行，导入到此为止；此行之前无误的商品已导入。",
    ),
}
"""Refusals: nothing of the product (or of the rest of the file) was taken."""

FAILURES: Final[Mapping[str, Texts]] = {
    "column_missing": ("A column is missing without which no product can be made.", "文件缺少新建商品所需的列。"),
    "column_repeated": ("A column stands there twice.", "文件中有重复的列。"),
    "too_many_columns": ("The file has too many columns.", "文件列数过多。"),
    "cell_too_long": ("The header holds a text that is too long.", "表头内容过长。"),
    "merchant_suspended": (
        "The merchant was suspended meanwhile; what was imported before stays.",
        "商家已被暂停经营，导入终止；此前已导入的商品保留。",
    ),
}
"""Why an import ended early, where it is no line's reason, or the line's names what only the line knows."""

NOTES: Final[Mapping[str, Texts]] = {
    "column_ignored": ("What this column holds is not kept.", "该列内容未保存。"),
    "title_replaced": (
        "The product was renamed in one language only: its name in the other one was removed.",
        "仅更新了一种语言的标题，另一种语言的旧标题已移除。",
    ),
    "title_kept": (
        "The product was renamed in English only: its Chinese name is as it was.",
        "仅更新了英文标题，中文标题保持不变。",
    ),
    "description_cleaned": (
        "Of the description only harmless markup is kept; what else it held was left out.",
        "描述中仅保留安全的标签与属性，其余已移除。",
    ),
    "description_replaced": (
        "The description was changed in one language only: the one in the other language was removed.",
        "仅更新了一种语言的描述，另一种语言的旧描述已移除。",
    ),
    "description_kept": (
        "The description was changed in English only: the Chinese one is as it was.",
        "仅更新了英文描述，中文描述保持不变。",
    ),
    "category_kept": (
        "There is no category of this name; the product stays where it was.",
        "没有该名称的分类，商品保留原分类。",
    ),
    "gift_card": ("A gift card is taken as a virtual product.", "礼品卡按虚拟商品导入。"),
    "kind_mixed": (
        "Some variants are shipped and some are not: the whole product counts as shipped.",
        "部分款式需要发货：整个商品按需要发货处理。",
    ),
    "kind_changed": ("The product is shipped now, which it was not.", "商品已改为需要发货。"),
    "unlisted_hidden": (
        "An unlisted product cannot be bought by its address here: it is hidden.",
        "此处不支持仅凭链接购买，商品已下架。",
    ),
    "oversold_elsewhere": (
        "More was sold elsewhere than there was: nothing is left to sell here.",
        "原店铺已超卖，此处可售库存为零。",
    ),
    "counted_here": (
        "Units are counted here: it is sold until those it has are gone.",
        "此处按库存销售，售完为止。",
    ),
    "not_listed": (
        "It is sold without a count elsewhere; here units are counted, and it has none. Not listed: receive stock.",
        "该商品未跟踪库存或允许超卖；此处按库存销售且暂无库存，因此未上架。请先入库再上架。",
    ),
    "sold_out_here": (
        "It is sold without a count elsewhere. Here it is sold out until stock is received.",
        "该款式未跟踪库存或允许超卖；此处入库前显示售罄。",
    ),
    "no_units": (
        "It is listed without stock: sold out until some is received.",
        "商品已上架但没有库存，入库前显示售罄。",
    ),
}
"""What a merchant should know of a product that was taken."""


_ENDED: Final[Texts] = ("The import ended early; its report says where.", "导入提前终止，详见报告。")


def failure_texts(code: str) -> Texts:
    """Return why an import ended early, without what only a line knows."""
    return FAILURES.get(code) or REASONS.get(code, _ENDED)


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a line was refused, or what is to be known of it."""

    line: int
    column: str
    code: str
    en: str
    zh: str


def finding(line: int, column: str, code: str, **params: object) -> Finding:
    """Return a refusal with its reason in both languages."""
    en, zh = REASONS[code]
    return Finding(line, column, code, en.format(**params), zh.format(**params))


def note(line: int, column: str, code: str) -> Finding:
    """Return a note with its words in both languages."""
    en, zh = NOTES[code]
    return Finding(line, column, code, en, zh)
