"""``make dev`` keeps its data: engine, time, accounts, stream positions and what the stand-ins know."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e import scenario
from tools.bench.http import buy_once
from tools.fakes.engine import free_port
from tools.shared.client import Client, Network


def run(folder: Path, port: int) -> tuple[subprocess.Popen[str], str]:
    url_file = folder / "address"
    url_file.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BIANDAN_"))}
    command = [sys.executable, "-m", "tools.dev", "--port", str(port), "--data", str(folder / "kept")]
    process = subprocess.Popen(
        [*command, "--url-file", str(url_file)], env=environment, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 300
    while not url_file.exists() or not url_file.read_text().endswith("\n"):
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process, url_file.read_text().strip()


def stop(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return said


def only_ours(folder: Path) -> None:
    """Say that nobody else reads what was kept, and that nothing of it is a program."""
    assert folder.stat().st_mode & 0o777 == 0o700
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"accounts.json", "standins.json", "positions.json", "engine.key"} <= {path.name for path in files}
    for path in files:
        assert path.stat().st_mode & 0o077 == 0, path
        assert not path.read_bytes().startswith(b"\x80"), path


def test_an_order_goes_on_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir(mode=0o755)  # As an earlier version left it.
    (tmp_path / "kept" / "accounts.json").write_text("{}")
    port = free_port()  # The same both times: the provider posts to where the payment was started.
    process, url = run(tmp_path, port)
    network = Network(url)
    info = Client(network).get("/_dev/")
    goods = Client(network).get("/v1/products?category=tea-ware&limit=20")["items"]
    buyer = next(account for account in info["accounts"] if account["role"] == "buyer")
    client, pay = Client(network), Client(Network(info["sandbox"]))
    client.sign_in(buyer["email"], buyer["password"])
    address = client.expect(
        201,
        "POST",
        "/v1/me/addresses",
        {
            "recipient": "王梅",
            "phone": "+8613800138000",
            "province": "浙江省",
            "city": "杭州市",
            "street": "文三路 1 号",
        },
    )
    skus = [client.get(f"/v1/products/{card['product_id']}")["skus"][0]["sku_id"] for card in goods[:2]]
    paid = buy_once(client, pay, skus, address["address_id"])
    for sku_id in skus:
        client.expect(200, "PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 1})
    quote = client.expect(200, "POST", "/v1/quotes", {"address_id": address["address_id"]})["quote"]
    open_id = client.expect(201, "POST", "/v1/purchases", {"quote": quote})["purchase_id"]
    payment = client.expect(201, "POST", f"/v1/purchases/{open_id}/payments", {"provider": "sandbox"})
    Client(network).expect(200, "POST", "/_dev/clock", {"advance_s": 60})
    network.close()
    pay.send.close()  # type: ignore[attr-defined]
    assert "Stopped; the data is kept." in stop(process)
    only_ours(tmp_path / "kept")

    process, url = run(tmp_path, port)
    network = Network(url)
    client = Client(network)
    info = client.get("/_dev/")
    client.sign_in(buyer["email"], buyer["password"])

    assert client.get("/_dev/clock")["offset_s"] == 60
    assert client.get(f"/v1/purchases/{paid}")["status"] == "paid"
    scenario.post(f"{info['sandbox']}/pay/{payment['payment_id']}", {})
    deadline = time.monotonic() + 120
    while client.get(f"/v1/purchases/{open_id}")["status"] != "paid":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    network.close()
    stop(process)
