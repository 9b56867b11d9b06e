"""The way back, and the time of a step."""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from typing import Any

import pytest

from chalicelib.catalog import bulk, bulk_products, csvfile, pace, service
from chalicelib.catalog.domain import Draft, Kind, SkuDraft
from chalicelib.catalog.jobs import JobKind
from chalicelib.inventory import service as inventory
from chalicelib.kernel.money import Money
from chalicelib.runtime.intents import system_intent
from tests.support import goods, people
from tests.support.files import FULL, MER, exported, imported, product, refusals, send, stripped, text
from tests.support.http import call
from tests.support.pump import UNPUBLISHED, Pump


@pytest.fixture
def token(cloud: str) -> str:
    goods.categories()
    return people.staff(MER).token


# The export


def test_an_own_export_changes_nothing(token: str) -> None:
    """Among goods that are hard to write: languages, commas in tags, repeated facts, text that cleaning shortens."""
    hard = [
        Draft(
            titles={"en": "红 tea"},
            description={"en": "<script>1</script> Tea & more", "zh": "<p>茶</p>"},
            category_id="tea",
            skus=(SkuDraft((), Money(990, "USD"), Money(0, "USD"), 5, "/p.jpg", "'=1"),),
            specifications=(("材质", "棉"), ("材质", "麻")),
            tags=("a, b", "[c]", "＝d"),
            vendor="\u200b=cmd",
        ),
        Draft(
            titles={"zh": "iPhone 15"},
            description={"en": "A phone"},
            category_id="dresses",
            options=("Title",),
            skus=(SkuDraft(("Default Title",), Money(990, "JPY")),),
            tags=('["x"]',),
        ),
        Draft(titles={"zh": "茶", "en": "Tea"}, kind=Kind.SERVICE, category_id="cards", skus=(SkuDraft((), Money(1)),)),
    ]
    made = [
        service.create(MER, draft, intent=system_intent(f"hard{at}"))[0].product_id for at, draft in enumerate(hard)
    ]
    imported(token, FULL)
    imported(token, text("Handle,Title,Variant Price,Status,Tags", f'old,Old,1,archived,"{"x" * 255}"'))
    made += [product("cup").product_id, product("old").product_id]

    def everything() -> Any:
        found = [service.own(MER, product_id) for product_id in made]
        levels = [inventory.level(sku.sku_id) for one in found for sku in one.skus]
        return [stripped(one) for one in found], [(one.revision, one.listed_at) for one in found], levels

    before = everything()
    pump = Pump(leaves=UNPUBLISHED)
    pump.drain()
    answer = send(token, exported(token))
    pump.drain()
    job = call("GET", f"/v1/merchant/imports/{answer.json['import_id']}", token=token).json
    assert (job["products_updated"], job["products_refused"], job["notes"]) == (5, 0, []), refusals(token, job)
    assert everything() == before


def test_every_cell_of_an_export_is_guarded(token: str) -> None:
    for at, sign in enumerate(("=", "＝", "+", "＋", "-", "－", "@", "＠", "\u200b=", "\ufeff@", "\u3000+")):
        draft = Draft(titles={"en": f"x{at}"}, category_id="tea", skus=(SkuDraft((), Money(1)),), vendor=f"{sign}1+1")
        service.create(MER, draft, intent=system_intent(f"g{at}"))
    rows = list(csv.DictReader(io.StringIO(exported(token).decode("utf-8-sig"), newline="")))
    assert len(rows) == 11
    assert all(row["Vendor"].startswith("'") for row in rows)


# A step within its time


def test_a_step_that_runs_out_of_time_goes_on_in_the_next(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "is_spent", lambda: True)
    lines = [f"p{number},P{number},1" for number in range(5)]
    job = imported(token, text("Handle,Title,Variant Price", *lines))
    assert (job["status"], job["products_created"]) == ("finished", 5)
    assert bulk.load(MER, job["import_id"], JobKind.IMPORT).step >= 6  # One product a step, and the header.


def test_a_product_that_kills_its_function_is_refused_and_the_job_goes_on(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = send(token, text("Handle,Title,Variant Price", "a,A,1", "bomb,Bomb,2", "c,C,3"))
    job_id = answer.json["import_id"]
    real = bulk_products.bring
    died: list[str] = []

    def bring(job: Any, group: Any, tally: Any) -> None:
        if group.handle == "bomb":
            died.append(group.handle)
            raise MemoryError
        real(job, group, tally)

    monkeypatch.setattr(bulk_products, "bring", bring)
    bulk.advance(MER, job_id, step=0)
    receives = dict.fromkeys(range(10), 0)  # Of the message of each step.
    while (job := bulk.load(MER, job_id, JobKind.IMPORT)).status == "running":
        receives[job.step] += 1
        with suppress(MemoryError), pace.of(remaining_s=60, receives=receives[job.step]):
            bulk.advance(MER, job_id, step=job.step)
    job = bulk.load(MER, job_id, JobKind.IMPORT)
    assert (job.status, job.progress.created, job.progress.refused) == ("finished", 2, 1)
    found = call("GET", f"/v1/merchant/imports/{job_id}", token=token).json
    assert refusals(token, found) == [(3, "", "product_too_expensive")]
    assert len(died) <= 2 * bulk.GIVEN_UP_AT  # Among others, then alone.


@pytest.mark.parametrize(
    ("raw", "failure"),
    [
        (b"\r\n" * 200_000, None),
        (b",,\n" * 200_000, None),
        (b'"","",""\r' * 100_000, None),
        (b"x,X,1\r\n" * 5_000, None),
        (b"".join(b"x%d,,\n" % number for number in range(1_500)), "too_many_refusals"),
        (b"x,\xff,1\r\n" * 3_000, None),
        (b"\xff\r\n" * 900, None),
        (b'"\r\n' * 10_001, None),
    ],
    ids=["ends", "commas", "quotes", "one handle", "refusals", "bad bytes", "nobody's", "open quotes"],
)
def test_a_file_of_nothing_costs_little(
    token: str, raw: bytes, failure: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "REFUSED_CAP", 1_000)
    read: list[int] = []
    real = csvfile._record

    def count(*args: Any) -> Any:
        read.append(1)
        return real(*args)

    monkeypatch.setattr(csvfile, "_record", count)
    header = b"Handle,Title,Variant Price\r\n"
    job = imported(token, header + raw + b"\r\nlast,Last,1\r\n")
    assert job["failure" if failure else "status"] == (failure or "finished")
    if failure is None:
        assert job["products_created"] >= 1
        assert product("last").titles == {"en": "Last"}
    assert len(read) <= 10_000  # Records that were taken apart: blank lines are not, however many.
    assert bulk.load(MER, job["import_id"], JobKind.IMPORT).step < 40
