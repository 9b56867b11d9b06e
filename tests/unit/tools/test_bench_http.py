"""What the benchmark of orders and pages says beside the recorded figures of another shop."""

from __future__ import annotations

from typing import Any

from tools.bench import http


def row(run: str, clients: int, **figures: float) -> dict[str, Any]:
    return {"run": run, "clients": clients, "per_s": 0.0, "cpu_ms": 0.0, "engine_cpu_ms": 0.0, **figures}


def test_ratios_are_those_with_as_many_clients_as_the_peer_had() -> None:
    rows = [
        row(http.ORDERS, 1, per_s=1.0, cpu_ms=99.0, engine_cpu_ms=99.0),
        row(http.ORDERS, 8, per_s=70.0, cpu_ms=6.0, engine_cpu_ms=10.0),
        row("product page", 8, per_s=1220.0),
    ]
    assert http.against_anchor(rows) == [
        (
            "orders, 8 clients: 10.0 times the peer's 7 a second; CPU 198 ms there is 33.0 times ours, 12.4 times ours "
            "with the engine's"
        ),
        "product pages, 8 clients: 10.0 times the peer's 122",
    ]


def test_what_was_not_run_is_compared_with_nothing() -> None:
    assert http.against_anchor([]) == []
    assert http.against_anchor([row(http.ORDERS, 8)]) == []
