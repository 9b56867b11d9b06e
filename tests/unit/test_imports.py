"""What each Lambda function has in memory once it is imported: a cold start is a feature, so this is a contract."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from chalicelib import topology

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
FUNCTIONS = ("app", "chalicelib.runtime.functions", *topology.FUNCTION_MODULES)

NEVER = {
    # What only some requests need: imported by the first that does.
    "cryptography": "verifying a token or a provider's signature",
    "argon2": "a password",
    "zxcvbn": "choosing a password: 80 ms, its lists of words",
    "jwt": "a token",
    "phonenumbers": "a phone number from abroad: 54 ms",
    "pyotp": "a second factor",
    "webauthn": "what a passkey signed: 200 ms",
    "chinese_calendar": "counting working days: 20 ms",
    "OpenSSL": "as above",
    "cbor2": "as above",
    "idna": "a mailbox under a name that is not ASCII",
    "pydantic": "an HTTP body; queue functions have none",
    "botocore.session": "S3; DynamoDB, SQS and Secrets Manager are spoken to directly",
    "botocore.client": "as above",
    "pynamodb.connection.base": "rows make no calls",
    # What no function needs at all.
    "boto3": "clients come from botocore",
    "s3transfer": "boto3's",
    "aws_lambda_powertools": "100 ms for what our own 150 lines do",
    "chalice.local": "a tool",
    "chalice.test": "a tool",
    "chalice.deploy": "a tool",
    "moto": "a tool",
    "ministack": "a tool",
    "pytest": "a tool",
    "tools": "a tool",
    "infra": "a tool",
    "requests": "ministack's",
    "asyncio": "nothing here is asynchronous",
}


@cache
def loaded(module: str) -> frozenset[str]:
    """Return what a fresh interpreter holds after importing a function's module as Lambda does."""
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys; import {module}; print(json.dumps(sorted(sys.modules)))"],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_LAMBDA_FUNCTION_NAME": "biandan-dev-x",
            "AWS_REGION": "us-east-1",
            "PYTHONPATH": str(ROOT),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return frozenset(json.loads(done.stdout))


@pytest.mark.parametrize("module", FUNCTIONS)
def test_a_function_imports_nothing_it_may_not_need(module: str) -> None:
    found = {
        f"{name}: {why}"
        for name, why in NEVER.items()
        if any(have == name or have.startswith(f"{name}.") for have in loaded(module))
    }
    assert found == set()


def test_the_http_function_starts_with_no_capability_loaded() -> None:
    capabilities = {name for name in topology.CAPABILITIES if f"chalicelib.{name}" in loaded("app")}
    assert capabilities == set()


@pytest.mark.parametrize("module", topology.FUNCTION_MODULES)
def test_a_queue_function_loads_no_wire_models_and_no_routes(module: str) -> None:
    wrong = {
        name
        for name in loaded(module)
        if name.startswith("chalicelib.") and name.rsplit(".", 1)[1] in ("api", "schemas", "schema", "routes")
    }
    assert wrong == set()
    assert "app" not in loaded(module)


def test_a_row_makes_no_calls() -> None:
    """Its way out would pass by metering, fault injection and the simulator."""
    from chalicelib.orders.rows import PurchaseRow

    with pytest.raises(RuntimeError, match="rows make no calls"):
        PurchaseRow.get("pur_1", "pur_1")


def test_the_relay_and_the_clock_load_no_capability() -> None:
    capabilities = {
        name for name in topology.CAPABILITIES if f"chalicelib.{name}" in loaded("chalicelib.runtime.functions")
    }
    assert capabilities == set()
