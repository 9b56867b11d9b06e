"""Product files for tests: sent as merchants send them, and what came of them."""

from __future__ import annotations

import csv
import io
import urllib.request
from typing import Any

from chalicelib.catalog import service, store
from chalicelib.inventory import service as inventory
from tests.support.http import Answer, call
from tests.support.pump import UNPUBLISHED, Pump

MER = "mer_" + "a" * 24
CRLF = "\r\n"


def text(*lines: str) -> bytes:
    return CRLF.join([*lines, ""]).encode()


def send(token: str, raw: bytes, query: str = "", content_type: str = "text/csv") -> Answer:
    path = f"/v1/merchant/imports/file?default_category=tea{query}"
    return call("POST", path, raw=raw, token=token, headers={"content-type": content_type})


def imported(token: str, raw: bytes, query: str = "", content_type: str = "text/csv") -> Any:
    answer = send(token, raw, query, content_type)
    assert answer.status == 202, answer.body
    Pump(leaves=UNPUBLISHED).drain()
    return call("GET", f"/v1/merchant/imports/{answer.json['import_id']}", token=token).json


def refusals(token: str, job: Any) -> list[tuple[int, str, str]]:
    found = call("GET", f"/v1/merchant/imports/{job['import_id']}/refusals?limit=100", token=token).json["items"]
    return [(one["line"], one["column"], one["code"]) for one in found]


def notes(job: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in job["notes"]:
        found.setdefault(one["code"], []).append(one["column"])
    return found


def product(handle: str, merchant_id: str = MER) -> Any:
    product_id = store.product_of_handle(merchant_id, handle)
    assert product_id is not None, handle
    return service.own(merchant_id, product_id)


def exported(token: str) -> bytes:
    begun = call("POST", "/v1/merchant/exports", token=token).json
    Pump(leaves=UNPUBLISHED).drain()
    url = call("GET", f"/v1/merchant/exports/{begun['export_id']}", token=token).json["url"]
    with urllib.request.urlopen(url) as answer:
        raw: bytes = answer.read()
    return raw


def fetched(job: Any) -> list[list[str]]:
    with urllib.request.urlopen(job["report_url"]) as answer:
        return list(csv.reader(io.StringIO(answer.read().decode("utf-8-sig"), newline="")))


FULL = text(
    "Handle,Title,Title (en),Body (HTML),Vendor,Type,Tags,Option1 Name,Option1 Value,Option2 Name,Option2 Value,"
    "Variant SKU,Variant Grams,Variant Inventory Qty,Variant Price,Variant Compare At Price,Image Src,Variant Image,"
    "Status,Kind,Specifications,Currency",
    'cup,茶杯,Tea cup,<p>好</p>,Kiln,Mugs,"a, b",Size,S,Glaze,Red,C-S,300,4,9.90,12.00,https://p.example/1.jpg,'
    'https://p.example/s.jpg,active,virtual,"{""材质"": ""瓷""}",USD',
    "cup,,,,,,,,M,,Red,C-M,400,5,19.90,22.00,https://p.example/2.jpg,,,,,",
)


def stripped(found: Any) -> Any:
    return (
        found.titles,
        found.description,
        found.labels,
        found.kind,
        found.status,
        found.options,
        found.pictures,
        (
            found.specifications,
            found.category_id,
            found.skus,
            [inventory.level(sku.sku_id) for sku in found.skus],
        ),
    )
