"""Other people's files: how a cell is written, what is too long, what shops elsewhere mean by a column."""

from __future__ import annotations

import csv
import io

import pytest

from chalicelib.catalog import service, store
from chalicelib.catalog.domain import Draft, Kind, SkuDraft, Status
from chalicelib.inventory import service as inventory
from chalicelib.kernel.money import Money
from chalicelib.runtime.intents import system_intent
from tests.support import goods, people
from tests.support.files import MER, fetched, imported, notes, product, refusals, text
from tests.support.http import call


@pytest.fixture
def token(cloud: str) -> str:
    goods.categories()
    return people.staff(MER).token


# Weights, columns, bad lines


@pytest.mark.parametrize(
    ("columns", "cells", "grams"),
    [
        ("Variant Grams", "226.796185", 227),
        ("Variant Grams", "0.5", 1),
        ("Variant Grams", "2.4999", 2),
        ("Weight value (grams)", "150.0", 150),
        ("Variant Grams,Variant Weight Unit", "226.796185,oz", 227),
        ("Variant Grams", "1.5 kg", 1500),
        ("Variant Weight,Variant Weight Unit", "8,oz", 227),
        ("Variant Weight,Variant Weight Unit", "1.5,lb", 680),
        ("Variant Weight,Variant Weight Unit", ".5,kg", 500),
        ("Variant Weight,Variant Weight Unit", "12,", 12),
    ],
)
def test_weights_are_taken_to_the_gram(token: str, columns: str, cells: str, grams: int) -> None:
    imported(token, text(f"Handle,Title,Variant Price,{columns}", f"jeans,Jeans,95,{cells}"))
    assert product("jeans").skus[0].weight_g == grams


@pytest.mark.parametrize("weight", ["-1", "1e3", "1,5", "heavy", "5 stone", "1.2.3", "99999999", "NaN", "١٢"])
def test_weights_that_are_none_are_refused(token: str, weight: str) -> None:
    job = imported(token, text("Handle,Title,Variant Price,Variant Grams", f'jeans,Jeans,95,"{weight}"'))
    assert refusals(token, job) == [(2, "Variant Grams", "bad_weight")]


def test_todays_column_names_mean_what_the_old_ones_did(token: str) -> None:
    job = imported(
        token,
        text(
            "Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,Status,SKU,"
            "Barcode,Option1 name,Option1 value,Option1 Linked To,Price,Compare-at price,Inventory tracker,"
            "Inventory quantity,Continue selling when out of stock,Weight value (grams),Weight unit for display,"
            "Requires shipping,"
            "Product image URL,Image position,Image alt text,Variant image URL,Gift card,SEO title",
            "Tea,tea-1,<p>Green</p>,Leaf,Food > Tea,Drinks,fresh,TRUE,Active,T-1,,Size,S,,9.90,12,shopify,5,DENY,"
            "150,g,TRUE,https://x.example/1.jpg,1,A tin,https://x.example/s.jpg,FALSE,Best tea",
            ",tea-1,,,,,,,,T-2,,,M,,19.90,,shopify,0,DENY,300.4,g,TRUE,https://x.example/2.jpg,2,,,,",
        ),
    )
    assert refusals(token, job) == []
    found = product("tea-1")
    assert (found.titles, found.description, found.status) == ({"en": "Tea"}, {"en": "<p>Green</p>"}, Status.LISTED)
    assert (found.category_id, found.labels.vendor, found.labels.tags) == ("tea", "Leaf", ("fresh",))
    assert found.options == ("Size",)
    assert [
        (sku.code, sku.options, sku.price.minor, sku.compare_at, sku.weight_g, sku.picture) for sku in found.skus
    ] == [
        ("T-1", ("S",), 990, Money(1200), 150, "https://x.example/s.jpg"),
        ("T-2", ("M",), 1990, None, 300, None),
    ]
    assert found.pictures == ("https://x.example/1.jpg", "https://x.example/2.jpg", "https://x.example/s.jpg")
    assert [inventory.level(sku.sku_id).available for sku in found.skus] == [5, 0]
    assert notes(job) == {
        "column_ignored": ["Barcode", "Option1 Linked To", "Image alt text", "SEO title"],
    }
    assert {one["column"]: one["lines"] for one in job["notes"]}["SEO title"] == 1
    assert [row[:3] for row in fetched(job)[1:]] == [
        ["1", column, "column_ignored"] for column in notes(job)["column_ignored"]
    ]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"bad,Bad,10,active,extra", "too_many_cells"),
        (b"bad,Bad \xff,10,active", "bad_encoding"),
        (b"\xff,Bad,10,active", "bad_encoding"),
        (b'bad,"Bad' + b"x" * 140_000 + b'",10,active', "cell_too_long"),
        (b'bad,"Bad",10,"active', "unclosed_quote"),
        (b",Bad,10,active", "handle_missing"),
    ],
)
def test_a_bad_line_does_not_take_the_product_before_it(token: str, bad: bytes, code: str) -> None:
    lines = [b"Handle,Title,Variant Price,Status", b"good,Good,10,active", bad, b"last,Last,10,active", b""]
    job = imported(token, b"\r\n".join(lines))
    column = "Handle" if code == "handle_missing" else ""
    assert refusals(token, job) == [(3, column, code)]
    assert (job["products_created"], job["products_refused"], job["lines_refused"]) == (2, 1, 1)
    assert product("good").status is product("last").status is Status.LISTED


def test_a_broken_line_between_lines_of_one_product_is_the_products(token: str) -> None:
    lines = [b"Handle,Title,Variant Price,Option1 Name,Option1 Value", b"a,A,1,Size,S", b"\xff,,2,,M", b"a,,3,,L", b""]
    job = imported(token, b"\r\n".join(lines))
    assert refusals(token, job) == [(2, "", "product_refused"), (3, "", "bad_encoding"), (4, "", "product_refused")]
    assert (job["products_created"], job["products_refused"]) == (0, 1)


@pytest.mark.parametrize("control", [chr(code) for code in (*range(9), 11, 12, *range(14, 32), 127)])
def test_control_characters_are_refused_as_in_json(token: str, control: str) -> None:
    lines = (
        "Handle,Title,Variant Price,Vendor,Status",
        f"a,A{control},1,,active",
        f"b,B,1,{control}V,active",
        "c,C,1,,",
    )
    job = imported(token, text(*lines))
    assert refusals(token, job) == [(2, "Title", "control_character"), (3, "Vendor", "control_character")]
    body = {"titles": {"en": f"A{control}"}, "category_id": "tea", "skus": [{"price": {"minor": 1}}]}
    assert call("POST", "/v1/merchant/products", body, token=token).status == 400


# Caps


def test_sixty_tags_are_kept_in_full(token: str) -> None:
    tags = [f"tag{number}" for number in range(249)] + ["长" * 255]
    job = imported(token, text("Handle,Title,Variant Price,Tags", f'tags,Tags,1,"{", ".join(tags)}"'))
    assert refusals(token, job) == []
    found = product("tags")
    assert found.labels.tags == tuple(tags)
    body = call("GET", f"/v1/merchant/products/{found.product_id}", token=token)
    change = {"tags": body.json["tags"]}
    head = store.head(found.product_id)
    assert head is not None
    assert (head.labels.tags, head.has_body) == ((), False)  # A quote reads many heads: they stay small.
    changed = call(
        "PATCH",
        f"/v1/merchant/products/{found.product_id}",
        change,
        token=token,
        headers={"if-match": body.headers["etag"]},
    )
    assert (changed.status, changed.json["tags"]) == (200, tags)  # What a file may hold, JSON may hold.


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("Tags", ", ".join(f"t{number}" for number in range(251)), "too_many_tags"),
        ("Tags", "x" * 256, "tag_too_long"),
        ("Tags", ", ".join("长" * 250 + str(number) for number in range(100)), "tags_too_long"),
        ("Vendor", "x" * 256, "cell_too_long"),
        ("Type", "x" * 256, "cell_too_long"),
        ("Variant SKU", "x" * 256, "cell_too_long"),
        ("Title", "x" * 251, "cell_too_long"),
        ("Option1 Value", "x" * 61, "cell_too_long"),
        ("Image Src", "https://x.example/" + "x" * 500, "cell_too_long"),
        ("Specifications", '{"' + "x" * 61 + '": "y"}', "bad_specifications"),
        ("Specifications", '{"x": "' + "y" * 501 + '"}', "bad_specifications"),
        ("Specifications", '{"": "y"}', "bad_specifications"),
    ],
)
def test_nothing_is_cut_silently(token: str, column: str, value: str, code: str) -> None:
    columns = {"Handle": "it", "Title": "It", "Variant Price": "1", "Option1 Name": "Size", "Option1 Value": "S"}
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, fieldnames=list({**columns, column: ""}))
    writer.writeheader()
    writer.writerow({**columns, column: value})
    job = imported(token, buffer.getvalue().encode())
    assert refusals(token, job) == [(2, column, code)]


# What elsewhere means something that is not here


def test_goods_without_a_count_are_never_silently_sold_out(token: str) -> None:
    header = (
        "Handle,Title,Variant Price,Status,Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,"
        "Option1 Name,Option1 Value"
    )
    job = imported(
        token,
        text(
            header,
            "ring,Ring made to order,100,active,,,continue,Size,S",  # 2: nothing to sell here
            "pin,Pin,100,active,,0,deny,Size,S",  # 3: likewise
            "cap,Cap,100,active,shopify,0,continue,Size,S",  # 4: likewise
            "mug,Mug,100,active,,7,deny,Size,S",  # 5: counted here
            "hat,Hat,100,active,shopify,3,deny,Size,S",  # 6
            "hat,,100,,shopify,,continue,,M",  # 7: one of two
            "bag,Bag,100,active,shopify,0,deny,Size,S",  # 8: sold out there too, and listed
            "old,Old,100,draft,,,continue,Size,S",  # 9: not for sale anyway
        ),
    )
    assert refusals(token, job) == []
    assert {handle: product(handle).status.value for handle in ("ring", "pin", "cap", "mug", "hat", "bag", "old")} == {
        "ring": "draft",
        "pin": "draft",
        "cap": "draft",
        "mug": "listed",
        "hat": "listed",
        "bag": "listed",
        "old": "draft",
    }
    report = [(int(row[0]), row[1], row[2]) for row in fetched(job)[1:]]
    assert report == [
        (2, "Variant Inventory Policy", "not_listed"),
        (3, "Variant Inventory Tracker", "not_listed"),
        (4, "Variant Inventory Policy", "not_listed"),
        (5, "Variant Inventory Tracker", "counted_here"),
        (7, "Variant Inventory Policy", "sold_out_here"),
        (8, "Variant Inventory Qty", "no_units"),
    ]
    zh = call("GET", f"/v1/merchant/imports/{job['import_id']}", token=token, headers={"accept-language": "zh"}).json
    assert "未上架" in next(one["reason"] for one in zh["notes"] if one["code"] == "not_listed")

    ring = product("ring")
    inventory.receive(ring.skus[0].sku_id, 5, intent=system_intent("r"))
    service.refresh_sold_out(ring.skus[0].sku_id)
    again = imported(token, text(header, "ring,Ring made to order,100,active,,,continue,Size,S"))
    assert (product("ring").status, notes(again)) == (
        Status.LISTED,
        {"counted_here": ["Variant Inventory Policy"]},
    )


def test_a_rename_by_a_file_of_one_language_leaves_no_old_name(token: str) -> None:
    imported(token, text("Handle,Title,Variant Price,Status", "phone,苹果手机15,10,active"))
    job = imported(token, text("Handle,Title,Variant Price,Status", "phone,iPhone 15 Pro 256G,10,active"))
    assert product("phone").titles == {"en": "iPhone 15 Pro 256G"}
    assert notes(job) == {"title_replaced": ["Title"]}
    both = text("Handle,Title,Title (en),Body (HTML),Body (en)", "phone,手机,Phone,<p>好</p>,<p>Good</p>")
    assert notes(imported(token, both)) == {}
    same = imported(token, text("Handle,Title,Body (HTML)", "phone,Phone,<p>好</p>"))
    assert notes(same) == {}
    assert product("phone").titles == {"zh": "手机", "en": "Phone"}
    body = imported(token, text("Handle,Title,Body (HTML)", "phone,手机,<p>更好</p>"))
    assert (notes(body), product("phone").description) == (
        {"description_replaced": ["Body (HTML)"]},
        {"zh": "<p>更好</p>"},
    )
    english = imported(token, text("Handle,Title (en)", "phone,Telephone"))
    assert (notes(english), product("phone").titles) == (
        {"title_kept": ["Title (en)"]},
        {"zh": "手机", "en": "Telephone"},
    )


@pytest.mark.parametrize("ships", ["", "FALSE", None])
@pytest.mark.parametrize("kind", [Kind.SERVICE, Kind.VIRTUAL])
def test_a_service_stays_a_service(token: str, kind: Kind, ships: str | None) -> None:
    draft = Draft(titles={"zh": "上门清洗"}, kind=kind, category_id="tea", skus=(SkuDraft((), Money(100)),))
    service.create(MER, draft, intent=system_intent("wash"), handle="wash")
    column, cell = (",Variant Requires Shipping", f",{ships}") if ships is not None else ("", "")
    imported(token, text(f"Handle,Title,Variant Price,Status{column}", f"wash,上门清洗,1.00,active{cell}"))
    assert product("wash").kind is kind
    if ships is not None:
        job = imported(token, text(f"Handle,Title{column},Variant SKU", "wash,上门清洗,TRUE,"))
        assert (product("wash").kind, notes(job)) == (
            Kind.PHYSICAL,
            {"kind_changed": ["Variant Requires Shipping"]},
        )


@pytest.mark.parametrize(
    ("columns", "cells", "status", "said"),
    [
        ("Status", "archived", "unlisted", {}),
        ("Status", "Archived", "unlisted", {}),
        ("Status", "unlisted", "unlisted", {"unlisted_hidden": ["Status"]}),
        ("Status", "draft", "draft", {}),
        ("Status", "", "listed", {}),
        ("Published", "", "listed", {}),
        ("Published on online store", "", "listed", {}),
        ("Published", "FALSE", "draft", {}),
        ("Published", "TRUE", "listed", {}),
        ("Published,Status", ",", "listed", {}),
        ("Published,Status", ",active", "listed", {}),
        ("Published,Status", "FALSE,active", "unlisted", {}),
        ("Published,Status", "TRUE,archived", "unlisted", {}),
        ("Vendor", "", "listed", {}),
    ],
)
def test_a_new_product_comes_in_the_status_it_had_elsewhere(
    token: str, columns: str, cells: str, status: str, said: dict[str, list[str]]
) -> None:
    job = imported(token, text(f"Handle,Title,Variant Price,Variant Inventory Qty,{columns}", f"p,P,10,3,{cells}"))
    assert (product("p").status, notes(job)) == (status, said)
