"""``make bench-bills``: what it takes to read a busy day's bill: seconds and peak memory of the step that cuts it.

Each form is written with so many lines and read in a process of its own, from the disk (the network is left out) into
the pieces that would go to the bucket. AWS answers nothing here and costs nothing; its client library is loaded, so
that the memory is that of the function. Stripe's pages are answered from here, and its steps are counted.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FORMS = ("wechatpay", "alipay", "qqwallet", "stripe")
DAY = "2026-11-22"
NAME = "茶具套装 500ml 紫砂壶, 礼盒"
_WECHATPAY = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,"
    "手续费,费率,订单金额,申请退款金额,费率备注"
)
_ALIPAY = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,"
    "订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,"
    "商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
_QQWALLET = (
    "交易时间,公众账号ID,商户号,子商户号,设备号,QQ钱包订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "订单金额,商户优惠金额,商户应收金额,QQ钱包优惠金额,用户支付金额,QQ钱包退款订单号,商户退款订单号,退款金额,退款状态,"
    "退款提交时间,退款成功时间,商品名称,商户数据包,手续费金额,费率"
)


def main() -> int:
    """Measure each form in a process of its own; the last line is JSON."""
    parser = argparse.ArgumentParser(description="Read a busy day's bill.")
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)
    parser.add_argument("--file", default="", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.form:
        print(json.dumps(_measure(told.form, told.lines, told.file)))
        return 0
    figures = {}
    print(f"{'form':10} {'unpacked':>10} {'packed':>9} {'steps':>6} {'pieces':>7} {'seconds':>8} {'peak RSS':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for form in FORMS:
            file = Path(folder) / form
            unpacked = _write(form, told.lines, file)
            command = [sys.executable, "-m", __spec__.name, "--form", form, "--file", str(file)]
            done = subprocess.run(
                [*command, "--lines", str(told.lines)], check=True, capture_output=True, text=True, env=_environment()
            )
            found = json.loads(done.stdout.splitlines()[-1])
            figures[form] = found
            packed = file.stat().st_size if file.exists() else 0
            print(
                f"{form:10} {unpacked / 1e6:7.1f} MB {packed / 1e6:6.1f} MB {found['steps']:6} {found['pieces']:7}"
                f" {found['seconds']:8.1f} {found['peak_mb']:6} MB"
            )
    print(json.dumps({"lines": told.lines, **figures}))
    return 0


def _environment() -> dict[str, str]:
    return {**os.environ, "BIANDAN_STAGE": "local", "BIANDAN_BUCKET": "bills", "AWS_DEFAULT_REGION": "us-east-1"}


def _number(prefix: str, n: int) -> str:
    return f"{prefix}_{n:024d}_01"


def _write(form: str, lines: int, file: Path) -> int:
    """Write a day's bill and return how long it is unpacked."""
    match form:
        case "wechatpay":
            size = 0
            with gzip.open(file, "wb", compresslevel=6) as packed:
                for text in _ticked(_WECHATPAY, lines, "应结订单金额", "订单金额"):
                    size += packed.write(text.encode())
            return size
        case "qqwallet":
            with file.open("wb") as plain:
                return sum(plain.write(text.encode()) for text in _ticked(_QQWALLET, lines, "订单金额", "用户支付金额"))
        case "alipay":
            with (
                zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
                archive.open("2088_details.csv", "w") as packed_file,
            ):
                return sum(packed_file.write(text.encode("gb18030")) for text in _alipay(lines))
        case _:
            return sum(len(page) for page in _stripe_pages(1)) * lines // 100


def _ticked(header: str, lines: int, *amounts: str) -> Iterator[str]:
    names = header.split(",")
    yield "\ufeff" + header + "\r\n"
    cells = dict.fromkeys(names, "0.00") | {
        "商品名称": NAME,
        "交易状态": "SUCCESS",
        "货币种类": "CNY",
        "商户号": "1900000109",
    }
    cells |= {"微信退款单号": "", "商户退款单号": "", "QQ钱包退款订单号": "", "商户退款订单号": "", "手续费": "0.11940"}
    cells |= {"用户标识": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "公众账号ID": "wxd678efh567hg6787", "费率": "0.60%"}
    for n in range(lines):
        cells |= {"交易时间": f"{DAY} {n // 3600 % 24:02d}:{n // 60 % 60:02d}:{n % 60:02d}"}
        cells |= {"商户订单号": _number("pay", n), "微信订单号": f"42000{n:023d}", "QQ钱包订单号": f"1900{n:024d}"}
        cells |= dict.fromkeys(amounts, f"{19 + n % 100}.90")
        yield ",".join(f"`{cells[name]}" for name in names) + "\r\n"
    total = sum((19 + n % 100) * 100 + 90 for n in range(lines))
    yield "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n"
    yield f"`{lines}.0,`0.00,`0.00,`0.00,`0.00,`{total // 100}.{total % 100:02d},`0.00\r\n"


def _alipay(lines: int) -> Iterator[str]:
    yield "#支付宝业务明细查询\r\n#账号：[20880000000000000156]\r\n#-----业务明细列表----\r\n"
    yield _ALIPAY + "\r\n"
    names = _ALIPAY.split(",")
    cells = dict.fromkeys(names, "0.00") | {"业务类型": "交易", "商品名称": f'"{NAME}"', "退款批次号/请求号": ""}
    cells |= {
        "门店编号": "",
        "门店名称": "",
        "操作员": "",
        "终端号": "",
        "券名称": "",
        "备注": "",
        "对方账户": "*明(138****0000)",
    }
    for n in range(lines):
        moment = f"{DAY} {n // 3600 % 24:02d}:{n // 60 % 60:02d}:{n % 60:02d}"
        cells |= {"支付宝交易号": f"2026112222001{n:015d}", "商户订单号": _number("pay", n)}
        cells |= {
            "创建时间": moment,
            "完成时间": moment,
            "订单金额（元）": f"{19 + n % 100}.90",
            "服务费（元）": "-0.12",
        }
        yield ",".join(f"{cells[name]}\t" for name in names) + "\r\n"
    yield f"#-----业务明细列表结束----\r\n#交易合计：{lines}笔，商家实收共0.00元\r\n"
    yield "#退款合计：0笔，商家实收退款共0.00元\r\n"


def _stripe_pages(pages: int) -> Iterator[bytes]:
    created = int(datetime.fromisoformat(f"{DAY}T12:00:00+00:00").timestamp())
    more = {f"field_{n:02d}": "x" * 40 for n in range(30)}  # A charge says much that nobody here reads.
    for page in range(pages):
        items = []
        for n in range(page * 100, page * 100 + 100):
            charge = {"id": f"ch_{n:024d}", "object": "charge", "amount": 1990, "currency": "usd", "created": created}
            charge |= {"payment_intent": f"pi_{n:024d}", "metadata": {"payment_id": _number("pay", n)}, **more}
            booked = {
                "id": f"txn_{n:024d}",
                "object": "balance_transaction",
                "amount": 1990,
                "fee": 88,
                "type": "charge",
            }
            items.append({**booked, "currency": "usd", "created": created, "status": "available", "source": charge})
        yield json.dumps({"object": "list", "data": items, "has_more": page < pages - 1}).encode()


def _measure(form: str, lines: int, file: str) -> dict[str, Any]:
    """Read the bill as the step of a run does."""
    import boto3

    from chalicelib.kernel import clock
    from chalicelib.payments import providers
    from chalicelib.payments.providers._shared import bills
    from chalicelib.payments.providers.alipay import adapter as alipay
    from chalicelib.payments.providers.qqwallet import adapter as qqwallet
    from chalicelib.payments.providers.stripe import adapter as stripe
    from chalicelib.payments.providers.wechatpay import adapter as wechatpay
    from chalicelib.reconciliation import domain, runs
    from chalicelib.runtime import aws, outbound

    boto3.client("s3", aws_access_key_id="x", aws_secret_access_key="x")  # noqa: S106

    def copy(into: Any) -> bool:
        with Path(file).open("rb") as bill:
            while chunk := bill.read(bills.CHUNK_BYTES):
                into.write(chunk)
        return True

    def copied(*_: Any, into: Any, **__: Any) -> outbound.Response:
        copy(into)
        return outbound.Response(200, {}, b"")

    def fetched(_self: Any, _day: Any, into: Any) -> bool:
        return copy(into) and (form != "wechatpay" or bool(bills.sha1(into)))

    for module, name, made in (
        (wechatpay.WechatPay, "_fetch_bill", fetched),
        (alipay.Alipay, "_fetch_bill", fetched),
        (bills, "download", copied),
        (providers, "load", lambda name: told[name]),
    ):
        setattr(module, name, made)
    pages = _stripe_pages(lines // 100)
    outbound.install(lambda _: outbound.Response(200, {}, next(pages)))
    told: dict[str, Any] = {
        "wechatpay": wechatpay.WechatPay(None),
        "alipay": alipay.Alipay(None),
        "qqwallet": qqwallet.build({"mch_id": "1", "keys": ["k"]}),
        "stripe": stripe.build({"secret_key": "sk_test_1", "webhook_secrets": ["w"]}),
    }
    size = 0

    def answer(_service: str, operation: str, params: Any, _proceed: Any) -> Any:
        nonlocal size
        size += len(params["Body"]) if operation == "PutObject" else 0
        return {}

    now = datetime.fromisoformat(f"{DAY}T00:00:00+00:00") + timedelta(days=2)
    with clock.use(lambda: now.astimezone(UTC)), aws.hooked(answer):
        run = domain.Run(domain.run_id(form, DAY), form, DAY, domain.RUN.initial, since=now, started_at=now)
        started, steps = time.perf_counter(), 0
        while run.status is domain.RunStatus.WANTED:
            run, steps = runs._fetch(run), steps + 1  # noqa: SLF001
        seconds = time.perf_counter() - started
    if (run.lines, dict(run.counts)) != (lines, {}):
        raise SystemExit(f"{form}: {run.lines} lines, {dict(run.counts)}, {run.why}")
    status = Path("/proc/self/status").read_text()  # ``getrusage`` counts the process that started this one.
    peak = int(status.partition("VmHWM:")[2].split()[0]) // 1024
    return {
        "seconds": round(seconds, 1),
        "peak_mb": peak,
        "steps": steps,
        "pieces": run.pieces,
        "pieces_mb": round(size / 1e6, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
