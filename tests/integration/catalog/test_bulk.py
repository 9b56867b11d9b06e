from __future__ import annotations

import csv
import io
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.catalog import bulk, csvfile, files, jobs, service, store
from chalicelib.catalog.jobs import JobKind, Options
from chalicelib.inventory import service as inventory
from chalicelib.inventory.service import Level
from chalicelib.kernel.errors import TooLarge
from chalicelib.runtime import aws, objects
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import system_intent
from tests.support import goods, people
from tests.support.http import call
from tests.support.pump import UNPUBLISHED, Pump

MER, RIVAL = "mer_" + "a" * 24, "mer_" + "b" * 24
HEADER = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Qty,Variant Price,Type,Published"
GOOD = [
    "dress,红色连衣裙,Size,S,D-S,5,19.90,连衣裙,TRUE",
    "dress,,,M,D-M,0,20,,",
    "tea,Green tea,Title,Default Title,,7,8.50,Tea,FALSE",
]


@pytest.fixture
def token(cloud: str) -> str:
    goods.categories()
    return people.staff(MER).token


def send(token: str, lines: list[str] | bytes, query: str = "", **options: Any) -> Any:
    raw = lines if isinstance(lines, bytes) else "\r\n".join([HEADER, *lines]).encode()
    answer = call(
        "POST",
        f"/v1/merchant/imports/file{query}",
        raw=raw,
        token=token,
        headers={"content-type": "text/csv"},
        **options,
    )
    assert answer.status == 202, answer.body
    return answer.json


def finished(token: str, lines: list[str] | bytes, query: str = "") -> Any:
    job = send(token, lines, query)
    Pump(leaves=UNPUBLISHED).drain()
    return call("GET", f"/v1/merchant/imports/{job['import_id']}", token=token).json


def product(handle: str) -> Any:
    product_id = store.product_of_handle(MER, handle)
    assert product_id is not None
    return service.own(MER, product_id)


def refused(token: str, job: Any, language: str = "en") -> list[tuple[int, str, str]]:
    items = []
    cursor = ""
    while True:
        path = f"/v1/merchant/imports/{job['import_id']}/refusals?limit=2{cursor}"
        page = call("GET", path, token=token, headers={"accept-language": language}).json
        items += page["items"]
        if "next_cursor" not in page:
            break
        cursor = f"&cursor={page['next_cursor']}"
    return [(item["line"], item["column"], item["code"]) for item in items]


@pytest.mark.parametrize("duplicate", [1, 2])
def test_a_file_becomes_products_with_stock(token: str, duplicate: int) -> None:
    job = send(token, GOOD)
    assert job["status"] == "running"
    pump = Pump(duplicate=duplicate, leaves=UNPUBLISHED)
    pump.drain()
    job = call("GET", f"/v1/merchant/imports/{job['import_id']}", token=token).json

    assert {name: job[name] for name in job if name.startswith(("products", "lines", "progress", "status"))} == {
        "status": "finished",
        "progress_percent": 100,
        "products_created": 2,
        "products_updated": 0,
        "products_refused": 0,
        "lines_read": 4,
        "lines_refused": 0,
    }
    assert pump.dead("catalog-imports") == []
    dress, tea = product("dress"), product("tea")
    assert (dress.status, dress.titles, dress.category_id) == ("listed", {"zh": "红色连衣裙"}, "dresses")
    assert [(sku.options, sku.price.minor, sku.code, sku.sold_out) for sku in dress.skus] == [
        (("S",), 1990, "D-S", False),
        (("M",), 2000, "D-M", True),
    ]
    assert (tea.status, tea.titles, tea.options) == ("draft", {"en": "Green tea"}, ())
    assert inventory.level(dress.skus[0].sku_id) == Level(available=5, received=5)
    assert inventory.level(tea.skus[0].sku_id) == Level(available=7, received=7)
    found = call("GET", "/v1/search?q=连衣裙").json["items"]
    assert [item["product_id"] for item in found] == [dress.product_id]


def test_importing_again_changes_by_handle_and_nothing_twice(token: str) -> None:
    finished(token, GOOD)
    first = product("dress")
    job = finished(token, GOOD)
    assert (job["products_created"], job["products_updated"]) == (0, 2)
    again = product("dress")
    assert (again.revision, again.skus) == (first.revision, first.skus)

    with UnitOfWork() as work:
        inventory.take(work, {first.skus[0].sku_id: 2}, buckets={})
    changed = [
        "dress,Neues Kleid,Size,M,,1,25,Tea,FALSE",
        "dress,,,L,,3,30,,",
    ]
    job = finished(token, changed)
    now = product("dress")
    assert (now.titles, now.status, now.category_id) == (
        {"en": "Neues Kleid"},  # The file gives one name: no language keeps the old one.
        "unlisted",
        "tea",
    )
    assert [(sku.options[0], sku.sku_id[-2:], sku.price.minor) for sku in now.skus] == [
        ("M", "02", 2500),
        ("L", "03", 3000),
    ]
    assert inventory.level(first.skus[0].sku_id) == Level(
        available=3, received=5, ordered=2
    )  # No longer sold, still counted.
    assert inventory.level(now.skus[0].sku_id) == Level(available=1, received=1)
    assert inventory.level(now.skus[1].sku_id) == Level(available=3, received=3)


def test_every_refused_line_is_reported_and_the_rest_is_imported(token: str) -> None:
    lines = [
        *GOOD,
        "bad,Bad price,Size,S,,1,1.999,Tea,TRUE",  # 5
        "bad,,,M,,1,2,,",  # 6
        "lost,No such category,Title,Default Title,,1,2,Rockets,TRUE",  # 7
        "dress,Again,Title,Default Title,,1,2,Tea,TRUE",  # 8
        'multi,"Two',  # 9
        'lines",Title,Default Title,,x,2,Tea,TRUE',
        ",No handle,Title,Default Title,,1,2,Tea,TRUE",  # 11
        "last,Last,Title,Default Title,,1,2,Tea,TRUE",
    ]
    job = finished(token, lines)

    assert (job["products_created"], job["products_refused"], job["lines_refused"]) == (3, 5, 6)
    expected = [
        (5, "Variant Price", "bad_price"),
        (6, "", "product_refused"),
        (7, "Type", "unknown_category"),
        (8, "Handle", "handle_repeated"),
        (9, "Variant Inventory Qty", "bad_quantity"),
        (11, "Handle", "handle_missing"),
    ]
    assert refused(token, job) == expected
    page = call(
        "GET",
        f"/v1/merchant/imports/{job['import_id']}/refusals",
        token=token,
        headers={"accept-language": "zh-CN"},
    )
    assert page.json["items"][0]["reason"] == "价格须为大于零的数字，如 19.90。"
    with urllib.request.urlopen(job["report_url"]) as answer:  # As a merchant's browser fetches it.
        report = list(csv.reader(io.StringIO(answer.read().decode("utf-8-sig"))))
    assert report[0] == ["Line", "Column", "Code", "Reason", "原因"]
    assert [(int(row[0]), row[1], row[2]) for row in report[1:]] == expected
    assert product("dress").titles == {"zh": "红色连衣裙"}
    assert store.product_of_handle(MER, "bad") is None


def test_unknown_categories_go_to_the_default_one(token: str) -> None:
    job = finished(token, ["x,X,Title,Default Title,,1,2,Rockets,TRUE"], "?default_category=tea")
    assert job["products_created"] == 1
    found = product("x")
    assert (found.category_id, found.labels.type) == ("tea", "Rockets")
    bad = call(
        "POST",
        "/v1/merchant/imports/file?default_category=nowhere",
        raw=b"x",
        token=token,
        headers={"content-type": "text/csv"},
    )
    assert (bad.status, bad.json["rule"]) == (422, "unknown_category")


@pytest.mark.parametrize(
    ("raw", "codes"),
    [
        (b"", ["empty_file"]),
        (b"\xef\xbb\xbf\r\n", ["empty_file"]),
        (b"Handle;Title;Variant Price\na;b;1", ["column_missing"] * 3),
        (b"Handle,Title\na,b", ["column_missing"]),
        (b'"Handle,Title\na,b', ["unclosed_quote"]),
    ],
)
def test_a_file_that_is_none_fails_with_its_reason(token: str, raw: bytes, codes: list[str]) -> None:
    job = finished(token, raw)
    assert (job["status"], job["failure"]) == ("failed", codes[0])
    assert [code for _, _, code in refused(token, job)] == codes
    assert job["report_url"]


def test_a_chinese_spreadsheet_uploaded_to_s3(token: str) -> None:
    raw = "\n".join([HEADER, *GOOD]).encode("gb18030")
    begun = call("POST", "/v1/merchant/imports", {"size_bytes": len(raw)}, token=token, key="import-key-1")
    assert (begun.status, begun.json["status"]) == (201, "awaiting_upload")
    path = f"/v1/merchant/imports/{begun.json['import_id']}"
    assert call("POST", f"{path}/start", token=token).json["code"] == "upload_missing"
    upload = begun.json["upload"]
    request = urllib.request.Request(upload["url"], data=raw, method=upload["method"], headers=upload["headers"])
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    assert call("POST", f"{path}/start", token=token).json["status"] == "running"
    assert call("POST", f"{path}/start", token=token).json["status"] == "running"
    Pump(leaves=UNPUBLISHED).drain()
    assert call("GET", path, token=token).json["products_created"] == 2
    assert product("dress").titles == {"zh": "红色连衣裙"}
    again = call("POST", "/v1/merchant/imports", {"size_bytes": len(raw)}, token=token, key="import-key-1")
    assert again.json["status"] == "finished"
    assert len(call("GET", "/v1/merchant/imports", token=token).json["items"]) == 1


def test_a_file_over_the_cap_is_refused(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    too_large = call("POST", "/v1/merchant/imports", {"size_bytes": jobs.FILE_CAP_BYTES + 1}, token=token)
    assert too_large.status == 422
    begun = bulk.begin_import(MER, Options(), intent=system_intent("i"))
    objects.put(files.key(MER, begun.job_id, bulk.SOURCE), b"x" * 100, "text/csv")
    monkeypatch.setattr(jobs, "FILE_CAP_BYTES", 99)
    with pytest.raises(TooLarge):
        bulk.start(MER, begun.job_id)
    headers = {"content-type": "text/csv"}
    body = call("POST", "/v1/merchant/imports/file", raw=b"x" * (5 * 1024 * 1024 + 1), token=token, headers=headers)
    assert (body.status, body.json["code"]) == (413, "too_large")
    json = call("POST", "/v1/merchant/imports/file", {"a": 1}, token=token)
    assert (json.status, json.json["code"]) == (415, "unsupported_media_type")


def test_jobs_are_nobody_elses(token: str) -> None:
    job = finished(token, GOOD)
    export = call("POST", "/v1/merchant/exports", token=token).json
    rival = people.staff(RIVAL).token
    for method, path in (
        ("GET", f"/v1/merchant/imports/{job['import_id']}"),
        ("GET", f"/v1/merchant/imports/{job['import_id']}/refusals"),
        ("POST", f"/v1/merchant/imports/{job['import_id']}/start"),
        ("GET", f"/v1/merchant/exports/{export['export_id']}"),
    ):
        assert call(method, path, token=rival).status == 404, path
        assert call(method, path, token=people.buyer().token).status == 403
    assert call("GET", f"/v1/merchant/exports/{job['import_id']}", token=token).status == 404
    assert call("GET", "/v1/merchant/imports", token=rival).json == {"items": []}
    assert store.product_of_handle(RIVAL, "dress") is None


def test_a_crash_anywhere_in_a_step_is_made_good_by_running_it_again(token: str) -> None:
    """Fail every call of the step once, one after the other: the outcome is that of a step that never failed."""
    job = bulk.import_file(
        MER, "\r\n".join([HEADER, *GOOD, "bad,,,,,,x,,"]).encode(), Options(), intent=system_intent("i")
    )
    bulk.advance(MER, job.job_id, step=0)

    class Crash(Exception):
        pass

    for survived in range(200):
        left = [survived]

        def hook(name: str, operation: str, params: Any, proceed: Callable[[], Any], left: list[int] = left) -> Any:
            answer = proceed()  # It happened; only nobody heard.
            if left[0] == 0:
                raise Crash
            left[0] -= 1
            return answer

        try:
            with aws.hooked(hook):
                bulk.advance(MER, job.job_id, step=1)
        except Crash:
            continue
        break
    done = bulk.load(MER, job.job_id, JobKind.IMPORT)
    assert (done.status, done.progress.created, done.progress.refused) == ("finished", 2, 1)
    dress = product("dress")
    assert inventory.level(dress.skus[0].sku_id) == Level(available=5, received=5)
    assert inventory.level(product("tea").skus[0].sku_id) == Level(available=7, received=7)
    assert dress.revision == 2
    assert len(call("GET", "/v1/merchant/products", token=token).json["items"]) == 2


def test_a_long_file_goes_in_bounded_steps(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PRODUCTS_A_STEP", 3)
    monkeypatch.setattr(bulk, "PIECE_BYTES", 300)
    lines = [f"p{number},产品 {number},Title,Default Title,,{number},1.0{number % 10},Tea,TRUE" for number in range(20)]
    lines[7] = "p7,Bad,Title,Default Title,,x,1,Tea,TRUE"
    lines[13] = f"p13,{'长' * 240},Title,Default Title,,1,1,Tea,TRUE"
    job = finished(token, lines)

    assert (job["status"], job["products_created"], job["lines_refused"]) == ("finished", 19, 1)
    assert refused(token, job) == [(9, "Variant Inventory Qty", "bad_quantity")]
    assert bulk.load(MER, job["import_id"], JobKind.IMPORT).step >= 7


def test_what_is_exported_is_imported_back_unchanged(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "EXPORTED_A_STEP", 2)
    finished(token, GOOD)
    made = [
        goods.product(MER, skus=3, stock=4, compare_at_minor=2990),
        goods.product(MER, kind="virtual", listed=False),
    ]
    Pump(leaves=UNPUBLISHED).drain()
    begun = call("POST", "/v1/merchant/exports", token=token).json
    Pump(duplicate=2, leaves=UNPUBLISHED).drain()
    export = call("GET", f"/v1/merchant/exports/{begun['export_id']}", token=token).json
    assert (export["status"], export["products"]) == ("finished", 4)
    with urllib.request.urlopen(export["url"]) as answer:
        raw = answer.read()
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert tuple(rows[0]) == csvfile.COLUMNS
    assert len(rows) == 2 + 1 + 3 + 1

    def everything() -> Any:
        found = [product("dress"), product("tea"), *(service.own(MER, one.product_id) for one in made)]
        levels = [inventory.level(sku.sku_id) for one in found for sku in one.skus]
        return [(one.revision, one.status, one.titles, one.skus, one.kind, one.category_id) for one in found], levels

    before = everything()
    job = finished(token, raw)
    assert (job["products_created"], job["products_updated"], job["products_refused"]) == (0, 4, 0)
    assert everything() == before
    moved = finished(people.staff(RIVAL).token, raw)  # Another merchant's file makes products of theirs.
    assert (moved["products_created"], moved["products_refused"]) == (4, 0)
    assert everything() == before


def test_an_empty_catalog_exports_its_header(token: str) -> None:
    begun = call("POST", "/v1/merchant/exports", token=token, key="export-key-1").json
    assert call("POST", "/v1/merchant/exports", token=token, key="export-key-1").json["export_id"] == begun["export_id"]
    Pump(leaves=UNPUBLISHED).drain()
    export = call("GET", f"/v1/merchant/exports/{begun['export_id']}", token=token).json
    with urllib.request.urlopen(export["url"]) as answer:
        assert next(csv.reader(io.StringIO(answer.read().decode("utf-8-sig")))) == list(csvfile.COLUMNS)
