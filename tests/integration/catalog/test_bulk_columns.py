"""What a file leaves out stays as it is; its currency, its encoding."""

from __future__ import annotations

import csv
import io
import urllib.request

import pytest

from chalicelib.catalog import store
from chalicelib.catalog.domain import Status
from chalicelib.inventory import service as inventory
from chalicelib.kernel.money import Money
from tests.support import dump, goods, people
from tests.support.files import FULL, MER, exported, imported, product, refusals, send, stripped, text
from tests.support.http import call
from tests.support.pump import UNPUBLISHED, Pump


@pytest.fixture
def token(cloud: str) -> str:
    goods.categories()
    return people.staff(MER).token


# What a file leaves out


@pytest.mark.parametrize(
    "lines",
    [
        ["Handle,Title", "cup,茶杯"],
        ["Handle,Vendor", "cup,Kiln"],
        ["URL handle,Title,Status", "cup,茶杯,Active"],
        ["Handle,Title,Variant SKU,Variant Price", "cup,茶杯,C-S,9.9", "cup,,C-M,19.90"],
        ["Handle,Title,Variant SKU,Variant Price", "cup,茶杯,C-M,19.90"],
        ["Handle,Option1 Value,Option2 Value,Variant Price", "cup,S,Red,9.90", "cup,M,Red,19.90"],
        ["Handle,Option1 Value,Variant Inventory Qty", "cup,M,5", "cup,S,4"],
        ["Handle,Variant SKU,Variant Grams", "cup,C-M,400"],
        ["Handle,Variant SKU,Variant Compare At Price", "cup,C-M,22"],
        ["Handle,Title,Image Src", "cup,茶杯,https://p.example/1.jpg", "cup,,https://p.example/2.jpg"],
        ["Handle,Title,Tags", 'cup,茶杯,"a, b"'],
        ["Handle,Title (en)", "cup,Tea cup"],
        ["Handle,Published", "cup,"],
        ["Handle,Status,Published", "cup,,"],
        ["Handle,Variant Requires Shipping,Variant SKU", "cup,,C-S"],
        ["Handle,Kind,Specifications", 'cup,,"{""材质"": ""瓷""}"'],
        ["Handle,Title,Body (HTML)", "cup,茶杯,<p>好</p>"],
    ],
)
def test_a_column_that_a_file_lacks_leaves_its_value_alone(token: str, lines: list[str]) -> None:
    assert imported(token, FULL)["products_created"] == 1
    before = product("cup")
    assert before.skus[1].price == Money(1990, "USD")

    job = imported(token, text(*lines))

    assert (job["products_updated"], job["products_refused"], job["notes"]) == (1, 0, []), refusals(token, job)
    after = product("cup")
    assert sorted(after.skus, key=lambda sku: sku.sku_id) == list(before.skus)
    assert stripped(after)[:-1] == stripped(before)[:-1]
    assert [inventory.level(sku.sku_id).available for sku in before.skus] == [4, 5]


def test_a_price_list_changes_prices_and_nothing_else(token: str) -> None:
    imported(token, text("Handle,Title,Variant Price,Status", "cup,Tea cup,9.90,active"))
    before = product("cup")
    assert before.status is Status.LISTED

    imported(token, text("Handle,Title,Variant Price", "cup,Tea cup,12.90"))

    after = product("cup")
    assert (after.skus[0].price.minor, after.status, after.revision) == (1290, Status.LISTED, before.revision + 1)


def test_a_line_that_does_not_say_which_variant_it_is_is_refused(token: str) -> None:
    imported(token, FULL)
    before = product("cup")
    job = imported(token, text("Handle,Title,Variant Price", "cup,茶杯,1.00"))
    assert refusals(token, job) == [(2, "Option1 Value", "variant_unknown")]
    job = imported(token, text("Handle,Option2 Value,Variant Price", "cup,Red,1.00"))
    assert refusals(token, job) == [(2, "Option1 Value", "variant_unknown")]
    assert product("cup").skus == before.skus


def test_an_empty_cell_of_a_column_that_is_there_empties_it(token: str) -> None:
    imported(token, FULL)
    job = imported(token, text("Handle,Tags,Vendor,Variant SKU,Variant Compare At Price", "cup,,,C-S,"))
    assert job["products_updated"] == 1
    after = product("cup")
    assert (after.labels.tags, after.labels.vendor) == ((), "")
    assert [sku.compare_at for sku in after.skus] == [None, Money(2200, "USD")]


def test_a_file_that_can_make_no_product_says_which_column_it_lacks(token: str) -> None:
    job = imported(token, text("Handle,Title", "new,New"))
    assert (job["status"], job["failure"], refusals(token, job)) == (
        "failed",
        "column_missing",
        [(2, "Variant Price", "column_missing")],
    )
    mixed = imported(token, text("Title,Variant Price", "Green tea,1", ",2", "Black tea,3"))
    assert (mixed["products_created"], refusals(token, mixed)) == (
        1,
        [(2, "", "product_refused"), (3, "Option1 Value", "sku_repeated")],
    )
    assert product("black-tea").titles == {"en": "Black tea"}


# Currencies


@pytest.mark.parametrize(
    ("currency", "price", "minor"), [("USD", "9.90", 990), ("JPY", "990", 990), ("KWD", "9.905", 9905)]
)
def test_a_shop_exports_and_imports_its_own_file_to_the_minor_unit(
    cloud: str, currency: str, price: str, minor: int
) -> None:
    goods.categories()
    shop = people.merchant(currency=currency)
    mine = people.staff(shop.merchant_id).token
    raw = text("Handle,Title,Variant Price,Variant Compare At Price,Status", f"tea,Tea,{price},{price},active")
    assert imported(mine, raw)["products_created"] == 1  # The shop's own currency, which nobody had to name.
    before = product("tea", shop.merchant_id)
    assert (before.skus[0].price, before.skus[0].compare_at) == (Money(minor, currency), Money(minor, currency))

    file = exported(mine)
    assert next(csv.DictReader(io.StringIO(file.decode("utf-8-sig"))))["Currency"] == currency
    imported(mine, file)
    assert product("tea", shop.merchant_id).skus == before.skus
    elsewhere = people.staff(MER).token  # A shop of another currency takes the file's, not its own.
    imported(elsewhere, file)
    assert product("tea").skus[0].price == Money(minor, currency)
    imported(elsewhere, text("Handle,Title,Variant Price", f"tea,Tea,{price}"))  # And a price list keeps it.
    assert product("tea").skus[0].price == Money(minor, currency)


def test_currencies_of_a_file_are_checked(token: str) -> None:
    job = imported(
        token,
        text(
            "Handle,Title,Variant Price,Option1 Name,Option1 Value,Currency",
            "a,A,1,Size,S,RMB",
            "b,B,1,Size,S,usd",
            "b,,1,,M,EUR",
            "c,C,9.90,Size,S,JPY",
            "d,D,1,Size,S,usd",
        ),
    )
    assert refusals(token, job) == [
        (2, "Currency", "bad_currency"),
        (3, "", "product_refused"),
        (4, "Currency", "bad_currency"),
        (5, "Variant Price", "bad_price"),
    ]
    assert product("d").skus[0].price == Money(100, "USD")
    imported(token, text("Handle,Title,Variant Price,Option1 Value", "d,D,7,S"), "&currency=EUR")
    assert product("d").skus[0].price == Money(700, "EUR")


# Encodings

GOODS = {
    "big5": "宜興紫砂壺",
    "shift_jis": "南部鉄瓶 急須セット",
    "euc-jp": "南部鉄瓶 急須セット",
    "euc-kr": "한국 도자기 찻잔",
    "gb18030": "宜兴紫砂壶，镕金",
    "windows-1252": "Café crème Süßholz",
    "windows-1251": "Чай зелёный",
}


@pytest.mark.parametrize("encoding", sorted(GOODS))
@pytest.mark.parametrize("how", ["unnamed", "query", "charset", "upload"])
def test_a_file_in_another_encoding_is_read_right_or_refused(token: str, encoding: str, how: str) -> None:
    title = GOODS[encoding]
    raw = text("Handle,Title,Variant Price,Status", f"it,{title},10,active").decode().encode(encoding)
    if how == "upload":
        begun = call("POST", "/v1/merchant/imports", {"size_bytes": len(raw), "encoding": encoding}, token=token).json
        assert begun["status"] == "awaiting_upload"
        job_id, upload = begun["import_id"], begun["upload"]
        wanted = urllib.request.Request(upload["url"], data=raw, method="PUT", headers=upload["headers"])
        with urllib.request.urlopen(wanted) as answer:
            assert answer.status == 200
        call("POST", f"/v1/merchant/imports/{job_id}/start", token=token)
        Pump(leaves=UNPUBLISHED).drain()
        job = call("GET", f"/v1/merchant/imports/{job_id}", token=token).json
        assert refusals(token, job) == [(2, "Type", "unknown_category")]  # Read: only no category was given.
        return
    content_type = f"text/csv; charset={encoding}" if how == "charset" else "text/csv"
    job = imported(token, raw, f"&encoding={encoding}" if how == "query" else "", content_type)
    if how == "unnamed":
        assert refusals(token, job) == [(2, "", "bad_encoding")]
        assert store.product_of_handle(MER, "it") is None
        return
    assert list(product("it").titles.values()) == [title]


def test_everyday_chinese_of_a_spreadsheet_needs_no_name(token: str) -> None:
    raw = text("Handle,Title,Variant Price", "it,红色夏季连衣裙,10").decode().encode("gb18030")
    imported(token, raw)
    assert product("it").titles == {"zh": "红色夏季连衣裙"}


def test_an_encoding_that_is_not_read_is_named(token: str) -> None:
    before = dump.tables()
    answer = send(token, b"Handle,Title,Variant Price", content_type="text/csv; charset=utf-7")
    assert (answer.status, answer.json["code"], answer.json["charset"]) == (422, "unknown_encoding", "utf-7")
    assert send(token, b"Handle", "&encoding=utf-16").status == 422
    assert dump.tables() == before
