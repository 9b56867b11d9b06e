"""Bills of WeChat Pay and Alipay that nobody meant to write: cut, packed wrongly, with names like the format."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
import zlib
from datetime import UTC, datetime

import pytest

from chalicelib.kernel.money import Money
from chalicelib.payments.domain.bill import Bill, BillKind, BillUnavailable, whole
from chalicelib.payments.providers._shared import bills
from chalicelib.payments.providers.alipay import bill as alipay_bill
from chalicelib.payments.providers.wechatpay import bill as wechatpay_bill
from chalicelib.runtime import outbound
from tests.contract.recorded import vectors


def read_alipay(archive: bytes) -> Bill:
    return whole(alipay_bill.read_bill(io.BytesIO(archive)))


def read_wechatpay(text: bytes) -> Bill:
    return whole(wechatpay_bill.read_bill(io.BytesIO(text)))


HEADER = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,订单金额（元）,服务费（元）,退款批次号/请求号"
ROW = "2026\t,pay_{n}\t,{kind}\t,{name}\t,2026-01-01 00:00:00\t,2026-01-01 00:00:00\t,{amount}\t,-0.01\t,{refund}\t"


def row(n: int, *, kind: str = "交易", name: str = "Tea", amount: str = "88.00", refund: str = "") -> str:
    return ROW.format(n=n, kind=kind, name=name, amount=amount, refund=refund)


def packed(*rows: str, paid: int | None = None, back: int = 0) -> bytes:
    paid = len(rows) if paid is None else paid
    lines = [
        "#支付宝业务明细查询",
        HEADER,
        *rows,
        "#----业务明细列表结束----",
        f"#交易合计：{paid}笔，商家实收共0.00元",
        f"#退款合计：{back}笔，商家实收退款共0.00元",
    ]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("2088_details.csv", "\r\n".join(lines).encode("gb18030"))
    return file.getvalue()


def test_a_spoilt_archive_is_a_typed_refusal() -> None:
    good, chance = packed(*(row(n) for n in range(50))), random.Random(7)
    assert len(read_alipay(good).lines) == 50
    refused = 0
    for _ in range(3000):
        spoilt = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        try:
            read_alipay(bytes(spoilt))
        except BillUnavailable:
            refused += 1
    assert refused > 2000


@pytest.mark.parametrize("name", ['"Tea', 'Te"a', '"', "T" * 200_000, "T\0", "T\u2028", "T\x85", "T\x0c"])
def test_the_name_of_a_product_spoils_at_most_its_own_line(name: str) -> None:
    bill = read_alipay(packed(row(1), row(2, name=name), row(3)))

    assert {line.payment_id for line in bill.lines} >= {"pay_1", "pay_3"}
    assert len(bill.lines) == 3 or any("line 4" in defect for defect in bill.defects)


def test_only_a_refund_is_negative() -> None:
    back = row(2, kind="退款", amount="-8.00", refund="ref_1")
    bill = read_alipay(packed(row(1, amount="-88.00"), back, row(3, amount="--1.00"), paid=0, back=1))

    (line,) = bill.lines
    assert (line.kind, line.amount, line.refund_id) == (BillKind.REFUND, Money(800), "ref_1")
    assert [defect for defect in bill.defects if "not an amount" in defect] == [
        "line 3: not an amount in yuan",
        "line 5: not an amount in yuan",
    ]


def test_days_begin_in_china() -> None:
    bill = read_alipay(packed(row(1)))

    assert bill.lines[0].at == datetime(2025, 12, 31, 16, 0, tzinfo=UTC)


TITLE = "交易时间,x\n".encode()
BOMBS = {
    "of zeros": (lambda: gzip.compress(TITLE + b"`aaaaaaaaaaa\n" * 900, compresslevel=1), "unpacks to more than 0 MiB"),
    "one line": (lambda: TITLE + b"a," * 2500, "line 2 is longer"),
    "cut": (lambda: gzip.compress(TITLE + b"`a\n")[:-9], "cannot be unpacked"),
    "empty": (lambda: b"\x1f\x8b", "cannot be unpacked"),
    "another packing": (lambda: b"\x1f\x8b" + zlib.compress(b"x"), "cannot be unpacked"),
    "lines": (lambda: TITLE + b"\n" * 4000, "more than 3000 lines"),
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bills, "UNPACKED_CAP_BYTES", 8000)
    monkeypatch.setattr(bills, "LINE_CAP_BYTES", 4000)
    monkeypatch.setattr(bills, "LINES_CAP", 3000)
    monkeypatch.setattr(alipay_bill, "DIRECTORY_CAP_BYTES", 500)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_and_a_cut_file_are_refused_in_words(small: None, name: str) -> None:
    make, said = BOMBS[name]
    with pytest.raises(BillUnavailable, match=said):
        read_wechatpay(make())


@pytest.mark.parametrize("name", ["of zeros", "cut", "empty", "another packing"])
def test_a_checksum_of_a_bomb_is_refused_as_well(small: None, name: str) -> None:
    make, said = BOMBS[name]
    with pytest.raises(BillUnavailable, match=said):
        bills.sha1(io.BytesIO(make()))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a_details.csv": b"0" * 8001}, "more than 0 MiB"),
        ({f"{n}.txt": b"" for n in range(20)}, "too many files"),
        ({"a_details.csv": b"x", "b_details.csv": b"x"}, "exactly one"),
        ({"a_details.csv": b"x\n" * 3001}, "header"),
        ({"a_details.csv": b"," * 4001}, "longer"),
    ],
)
def test_an_archive_that_is_a_bomb_is_refused_in_words(small: None, files: dict[str, bytes], said: str) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(BillUnavailable, match=said):
        read_alipay(made.getvalue())
    with pytest.raises(BillUnavailable):
        read_alipay(b"PK")


def test_a_file_that_is_too_long_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bills, "DOWNLOAD_CAP_BYTES", 99)
    outbound.install(lambda _: outbound.Response(200, {}, b"x" * 100))
    with bills.spool() as file, pytest.raises(BillUnavailable, match="larger than 0 MiB"):
        bills.download("GET", "https://bills.example/", headers={}, into=file)
    outbound.install(lambda _: outbound.Response(200, {}, b"x" * 99))
    with bills.spool() as file:
        for _ in range(2):  # Another try begins anew.
            assert bills.download("GET", "https://bills.example/", headers={}, into=file).body == b""
        assert b"".join(bills.chunks(file)) == b"x" * 99
    outbound.install(None)


def test_a_long_bill_comes_in_parts_that_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bills, "PART_LINES", 7)
    archive = packed(*(row(n) for n in range(20)), row(20, amount="x"))
    parts = list(alipay_bill.read_bill(io.BytesIO(archive)))
    assert [len(part.lines) for part in parts] == [7, 7, 6, 0]
    assert [part.defects for part in parts] == [
        (),
        (),
        ("line 23: not an amount in yuan",),
        ("交易合计 speaks of 21 lines, there are 20",),
    ]
    assert [line.line for part in parts for line in part.lines] == [*range(3, 23)]
    (vector,) = vectors("wechatpay_v3_public.json", "bill_csv")
    text = vector["csv"].encode()
    sizes = [len(part.lines) for part in wechatpay_bill.read_bill(io.BytesIO(gzip.compress(text)))]
    assert sizes == [7, 7, 7, 7, 7, 7, 3]
    assert read_wechatpay(gzip.compress(text)) == read_wechatpay(text)


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\x0b", "\x1e", "\r"])
def test_a_wechat_bill_is_split_at_line_feeds_alone(mark: str) -> None:
    (vector,) = vectors("wechatpay_v3_public.json", "bill_csv")
    name = "系统拨测-cheeryin-test_micropay_succ"
    assert name in vector["csv"]
    for text in (vector["csv"], vector["csv"].replace("\r\n", "\n").replace("\n", "\r\n")):
        bill = read_wechatpay(text.replace(name, f"a{mark}b").encode())
        assert (len(bill.lines), bill.defects) == (45, ())
