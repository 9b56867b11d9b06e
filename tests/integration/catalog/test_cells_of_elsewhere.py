"""Cells as other shops, spreadsheets and locales write them: taken for what they mean, or refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.catalog.domain import Status
from chalicelib.inventory import service as inventory
from tests.support import goods, people
from tests.support.files import MER, imported, notes, product, refusals, text
from tests.support.http import call

HEADER = "Handle,Title,Variant Price"


@pytest.fixture
def token(cloud: str) -> str:
    goods.categories()
    return people.staff(MER).token


@pytest.mark.parametrize("units", ["-3", "-3.0", "-12000"])
def test_units_below_zero_are_none(token: str, units: str) -> None:
    job = imported(token, text(f"{HEADER},Variant Inventory Qty", f"cap,Cap,9,{units}"))
    assert refusals(token, job) == []
    assert notes(job)["oversold_elsewhere"] == ["Variant Inventory Qty"]
    found = product("cap")
    assert (found.status, inventory.level(found.skus[0].sku_id).available) == (Status.LISTED, 0)

    imported(token, text(f"{HEADER},Variant Inventory Qty", "cap,Cap,9,5"))
    imported(token, text(f"{HEADER},Variant Inventory Qty", f"cap,Cap,9,{units}"))
    assert inventory.level(found.skus[0].sku_id).available == 0


@pytest.mark.parametrize(
    ("price", "minor"), [(".99", 99), ("5.", 500), ("19.900000", 1990), ("0.10", 10), ("007.5", 750)]
)
def test_prices_as_programs_write_them(token: str, price: str, minor: int) -> None:
    assert refusals(token, imported(token, text(HEADER, f"cap,Cap,{price}"))) == []
    assert product("cap").skus[0].price.minor == minor


@pytest.mark.parametrize(
    "price", [".", "..5", "5..", ".001", "19.900001", "１９.９０", "1 000", "19,90", "-.5", "0x10"]
)
def test_prices_that_are_none_are_refused(token: str, price: str) -> None:
    job = imported(token, text(HEADER, f'cap,Cap,"{price}"'))
    assert refusals(token, job) == [(2, "Variant Price", "bad_price")]


@pytest.mark.parametrize(
    "names",
    [
        "\ufeffHandle,Title,Variant Price",
        "\u200bHandle,Title,Variant Price\u200e",
        "Handle,Title,Variant\u00a0Price",
        "Handle,Title, variant  PRICE ",
        "Handle,Title,\u2060Price",
        "URL\u00a0handle,Title,Price",
    ],
)
def test_names_of_columns_are_read_as_people_read_them(token: str, names: str) -> None:
    """A file whose handles were not seen would make its products anew, under what their titles say."""
    job = imported(token, b"\xef\xbb\xbf" + text(names, "cap-1,Cap,9"))
    assert (refusals(token, job), notes(job)) == ([], {"no_units": ["Variant Inventory Qty"]})
    assert product("cap-1").skus[0].price.minor == 900


def test_a_line_that_only_names_the_comma_is_passed_over(token: str) -> None:
    job = imported(token, text("sep=,", HEADER, "cap,Cap,9", "bad,,9"))
    assert refusals(token, job) == [(4, "Title", "title_missing")]
    assert product("cap").skus[0].price.minor == 900


@pytest.mark.parametrize(
    "word", ["WAHR", "vrai", "VERDADERO", "Vero", "verdadeiro", "WAAR", "PRAWDA", "ИСТИНА", "y", "on", "真"]
)
def test_yes_in_the_words_of_other_spreadsheets(token: str, word: str) -> None:
    assert refusals(token, imported(token, text(f"{HEADER},Published", f"cap,Cap,9,{word}"))) == []
    assert product("cap").status is Status.LISTED


@pytest.mark.parametrize("word", ["FALSCH", "faux", "FALSO", "onwaar", "FAŁSZ", "ЛОЖЬ", "n", "off", "假"])
def test_no_in_the_words_of_other_spreadsheets(token: str, word: str) -> None:
    assert refusals(token, imported(token, text(f"{HEADER},Published", f"cap,Cap,9,{word}"))) == []
    assert product("cap").status is Status.DRAFT


@pytest.mark.parametrize("lost", ["Caf\ufffd", "\ufffd\ufffd\ufffd"])
def test_text_that_went_through_a_wrong_encoding_is_not_put_on_sale(token: str, lost: str) -> None:
    job = imported(token, text(f"{HEADER},Vendor", "good,Good,9,", f"bad,{lost},9,", f"worse,Cap,9,{lost}"))
    assert refusals(token, job) == [(3, "", "bad_encoding"), (4, "", "bad_encoding")]


@pytest.mark.parametrize(
    "changes",
    [
        {"titles": {"en": "Caf\ufffd"}},
        {"description": {"zh": "\ufffd\ufffd"}},
        {"tags": ["\ufffd"]},
        {"vendor": "\ufffd"},
        {"specifications": [{"name": "a", "value": "\ufffd"}]},
        {"skus": [{"price": {"minor": 1}, "code": "\ufffd"}]},
    ],
)
def test_no_product_of_the_api_is_lost_text_either(token: str, changes: dict[str, Any]) -> None:
    """The gateway makes U+FFFD of a body in another encoding; a file could not bring such a product back."""
    body = {"titles": {"en": "Cap"}, "category_id": "tea", "skus": [{"price": {"minor": 1}}], **changes}
    answer = call("POST", "/v1/merchant/products", body, token=token)
    assert (answer.status, {one["code"] for one in answer.json["errors"]}) == (422, {"bad_encoding"})


@pytest.mark.parametrize(
    ("facts", "kept"),
    [
        (r'{"a": "1", "a": "2"}', (("a", "1"), ("a", "2"))),
        (r'{"a": "\u4e00"}', (("a", "一"),)),
        (r'{"a": "\ud83d\ude00"}', (("a", "\U0001f600"),)),
    ],
)
def test_facts_are_kept_as_they_are_written(token: str, facts: str, kept: tuple[tuple[str, str], ...]) -> None:
    quoted = facts.replace('"', '""')
    assert refusals(token, imported(token, text(f"{HEADER},Specifications", f'cap,Cap,9,"{quoted}"'))) == []
    assert product("cap").specifications == kept


@pytest.mark.parametrize(
    "facts",
    [
        r'{"a": "\ud800"}',
        r'{"\udfff": "1"}',
        r'{"a": "\u0000"}',
        r'{"a": "\u001b[31m"}',
        r'{"a": NaN}',
        r'{"a": {"b": "c"}}',
        r'[{"a": "1", "b": "2"}]',
        '{"a": ' + "9" * 5_000 + "}",
        '{"a":' * 3_000,
        "[" * 100_000,
    ],
)
def test_facts_that_are_none_end_no_import(token: str, facts: str) -> None:
    quoted = facts.replace('"', '""')
    job = imported(token, text(f"{HEADER},Specifications", f'cap,Cap,9,"{quoted}"', "hat,Hat,9,"))
    assert job["status"] == "finished"
    assert refusals(token, job) == [(2, "Specifications", "bad_specifications")]
    assert product("hat").specifications == ()


@pytest.mark.parametrize("tag", [r"\ud800", r"\u0007"])
def test_a_list_of_tags_holds_texts_only(token: str, tag: str) -> None:
    job = imported(token, text(f"{HEADER},Tags", f'cap,Cap,9,"[""{tag}""]"'))
    assert (job["status"], refusals(token, job)) == ("finished", [])
    assert product("cap").labels.tags == (f'["{tag}"]',)


def test_a_description_that_is_long_by_its_markup_is_taken(token: str) -> None:
    body = ("<p style='" + "margin:0;" * 9 + "'>text</p>") * 800
    assert refusals(token, imported(token, text(f"{HEADER},Body (HTML)", f'cap,Cap,9,"{body}"'))) == []
    assert product("cap").description == {"en": "<p>text</p>" * 800}


def test_addresses_of_pictures_are_written_as_browsers_send_them(token: str) -> None:
    job = imported(token, text(f"{HEADER},Image Src", "cap,Cap,9,//cdn.example/a b 'c'.jpg"))
    assert refusals(token, job) == []
    assert product("cap").pictures == ("https://cdn.example/a%20b%20%27c%27.jpg",)
