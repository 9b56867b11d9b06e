"""Who is concerned by a leak, by what, and what the notices say: exactly, over a shop with people in it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chalicelib.privacy import service as privacy
from chalicelib.privacy.holdings import HOLDINGS
from chalicelib.privacy.inventory import Text
from chalicelib.runtime import objects
from tools.bench import erasure as trial
from tools.bench.crowd import CrowdedLab
from tools.operate import breach, breach_texts
from tools.operate.breach import Concerned, Scope, Story

STORY = Story(datetime(2026, 11, 29, 2, 0, tzinfo=UTC), "a copy lay open", "closed", "privacy@example.com")
ORDERS = {"delivery", "network", "note", "orders"}
PROFILE = {"contacts", "profile", "account_number"}


@pytest.fixture(scope="module")
def lab() -> Iterator[CrowdedLab]:
    kept = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "BIANDAN_"))}
    with trial.world() as opened:
        yield opened
    os.environ.update(kept)


@pytest.fixture(scope="module")
def persons(lab: CrowdedLab) -> list[str]:
    return trial.settle(lab, 3)


def concerned(scope: Scope, persons: list[str]) -> dict[str, set[str]]:
    found = breach.concerned(scope)
    return {person: kinds for person, kinds in found.persons.items() if person in persons}


def test_each_person_is_concerned_by_what_their_rows_hold(lab: CrowdedLab, persons: list[str]) -> None:
    by_orders = concerned(Scope(tables=("orders",)), persons)
    assert set(by_orders) == set(persons)
    assert all(kinds == ORDERS for kinds in by_orders.values())
    by_accounts = concerned(Scope(tables=("accounts",)), persons)
    assert by_accounts == {person: {*PROFILE, "address_book"} for person in persons}
    parcels = concerned(Scope(tables=("shipments",)), persons)
    assert set(parcels) == set(persons[1:])  # The first never paid.
    assert all(kinds == {"parcels"} for kinds in parcels.values())  # The digits went when they arrived.
    assert concerned(Scope(tables=("products",)), persons) == {}


def test_a_scope_is_narrowed_by_accounts_and_by_time(lab: CrowdedLab, persons: list[str]) -> None:
    only = frozenset({persons[0]})
    assert set(breach.concerned(Scope(tables=("orders",), accounts=only)).persons) == only
    now = lab.time()
    assert concerned(Scope(tables=("orders",), until=now - timedelta(days=1)), persons) == {}
    assert set(concerned(Scope(tables=("orders",), until=now + timedelta(days=1)), persons)) == set(persons)
    assert concerned(Scope(tables=("orders",), since=now + timedelta(days=1)), persons) == {}
    # A row without a time may have been there: it counts.
    assert set(concerned(Scope(tables=("accounts",), until=now - timedelta(days=1)), persons)) <= set(persons)


def test_objects_are_their_owners(lab: CrowdedLab, persons: list[str]) -> None:
    objects.put(f"evidence/incoming/{persons[0]}/evd_1", b"x", "image/png")
    asked = privacy.archives.request(persons[1])
    privacy.archives.advance(asked.archive_id, asked.step)
    scope = Scope(objects=("evidence/incoming/", "archives/"))
    assert breach.concerned(scope).persons == {persons[0]: {"uploads"}, persons[1]: {"archive"}}
    objects.put("evidence/kept/cmp_000000000000000000000000/evd_1", b"x", "image/png")
    assert breach.concerned(Scope(objects=("evidence/kept/",))).nobodys == 1


def test_the_files_say_all_that_the_law_wants(lab: CrowdedLab, persons: list[str], tmp_path: Path) -> None:
    found = Concerned({persons[0]: {"delivery"}, persons[1]: {"delivery"}, persons[2]: {"payee"}}, nobodys=4)
    files = breach.written(found, Scope(), STORY)
    assert set(files) == {
        "authority.zh.md", "authority.en.md", "person-1.zh.md", "person-1.en.md", "person-2.zh.md", "person-2.en.md",
        "concerned.csv", "clock.json",
    }  # fmt: skip
    assert files["concerned.csv"].splitlines() == [
        "account,wording,kinds",
        *sorted([f"{persons[0]},1,delivery", f"{persons[1]},1,delivery", f"{persons[2]},2,payee"]),
    ]
    report = files["authority.en.md"]
    for said in (
        "| found | 2026-11-29 10:00 (UTC+8) |",
        "| what happened | a copy lay open |",
        "| persons concerned | 3 |",
        "| rows looked at, without a person | 4 |",
        "where a purchase goes: name, phone number, address; another account that a refund is sent to",
        "| of it sensitive | another account that a refund is sent to |",
        "| what was and is done | closed |",
        "| whom to ask | privacy@example.com |",
        "| persons are told | all of them, with 2 wordings",
        "| first report | 2026-11-29 14:00 (UTC+8) (an operator of critical infrastructure: 2026-11-29 11:00 (UTC+8))",
        "| notice to persons | at once |",
        "| closing report, 30 days after it is dealt with | 2026-12-29 10:00 (UTC+8)",
    ):
        assert said in report, said
    assert "首次报告 | 2026-11-29 14:00" in files["authority.zh.md"]
    assert "订单收件人、电话、地址" in files["person-1.zh.md"]
    assert "请勿轻信索要验证码" in files["person-1.zh.md"]
    assert "收款账户" in files["person-2.zh.md"]
    assert all("{" not in text for name, text in files.items() if name.endswith(".md"))
    assert json.loads(files["clock.json"]) == {
        "found_at": "2026-11-29T02:00:00+00:00",
        "persons": 3,
        "first_report_until": "2026-11-29T06:00:00+00:00",
        "first_report_of_critical_infrastructure_until": "2026-11-29T03:00:00+00:00",
        "persons_told": "at once",
        "closing_report_within_days_of_closing": 30,
    }
    breach.keep(files, tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out" / "concerned.csv").stat().st_mode) == 0o600


def test_what_stays_closed_need_not_be_told_to_persons() -> None:
    sealed = Concerned({"acc_1": {"delivery", "contacts"}})
    files = breach.written(sealed, Scope(keys_safe=True), STORY)
    assert [name for name in files if name.startswith("person")] == []
    assert "encrypted and the keys are safe" in files["authority.en.md"]
    assert any(name.startswith("person") for name in breach.written(sealed, Scope(), STORY))
    mixed = Concerned({"acc_1": {"delivery", "orders"}})
    assert any(name.startswith("person") for name in breach.written(mixed, Scope(keys_safe=True), STORY))


def test_a_million_persons_are_a_larger_incident(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breach_texts, "LARGER_FROM", 2)
    few, many = Concerned({"acc_1": {"orders"}}), Concerned({"acc_1": {"orders"}, "acc_2": {"orders"}})
    assert "larger incident" not in breach.written(few, Scope(), STORY)["authority.en.md"]
    assert "larger incident" in breach.written(many, Scope(), STORY)["authority.en.md"]


def test_every_kind_can_be_told_and_words_name_kinds_that_are() -> None:
    names = {holding.name for holding in HOLDINGS}
    assert {kind for kinds, _ in (*breach_texts.HARMS, *breach_texts.ADVICE) for kind in kinds} <= names
    for name in names:
        files = breach.written(Concerned({"acc_1": {name}}), Scope(), STORY)
        assert len(files) == 6
    texts = [words for _, words in (*breach_texts.HARMS, *breach_texts.ADVICE)]
    assert all(isinstance(words, Text) and words.en and words.zh for words in texts)


def test_the_drill_names_everybody_and_writes_it_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = breach.drill(tmp_path, persons=2)
    with_orders = [kinds for kinds in found.persons.values() if "delivery" in kinds]
    assert with_orders == [{*PROFILE, *ORDERS, "address_book"}] * 2
    assert {path.name for path in tmp_path.iterdir()} >= {"authority.zh.md", "person-1.zh.md", "concerned.csv"}
    assert "演练" in (tmp_path / "authority.zh.md").read_text()


def test_the_command_wants_to_know_what_the_law_wants(tmp_path: Path) -> None:
    for asked in ([], ["--table", "orders"], ["--table", "orders", "--cause", "x", "--measures", "y"]):
        with pytest.raises(SystemExit):
            breach.main(["--into", str(tmp_path), *asked])
