"""The one deployed stack of the tests in ``test_deploy*.py``: created after a first attempt that failed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3.session
import pytest

from chalicelib.kernel import clock
from infra import settings_of
from tests.support.deployed import (
    ACCOUNT,
    GIVEN,
    HARNESS,
    REGION,
    SECRET_KEY,
    STAGE,
    Deployed,
    address,
    at,
    bring_up,
    broken,
    fit_engine,
    gateway_responses,
    settings_text,
    start_stand_ins,
)
from tools.dev import standins
from tools.fakes import engine
from tools.release import keys, package
from tools.release.errors import DeployError


@pytest.fixture(scope="package")
def stage_secrets() -> dict[str, dict[str, Any]]:
    """Return the secrets of a stage that uses the stand-ins."""
    asked = ("payments-sandbox", "logistics-kuaidi100")
    found, lacking = keys.values({}, lambda name: f"test-{name}", stage=STAGE, only=asked)
    assert not lacking
    return found


@pytest.fixture(scope="package")
def adjustable() -> clock.Adjustable:
    return clock.Adjustable()


@pytest.fixture(scope="package")
def stand_ins(stage_secrets: dict[str, dict[str, Any]], adjustable: clock.Adjustable) -> Iterator[standins.StandIns]:
    found = start_stand_ins(stage_secrets, adjustable)
    yield found
    found.stop()


@pytest.fixture(scope="package")
def built(stand_ins: standins.StandIns, tmp_path_factory: pytest.TempPathFactory) -> package.Package:
    """The package of a stage whose settings file names the stand-ins: the only way to tell a function anything."""
    platform = package.LAMBDA if package.host_runs_lambda() else package.HOST
    folder = tmp_path_factory.mktemp("package")
    file = folder / "settings.toml"
    file.write_text(settings_text(stand_ins), encoding="utf-8")
    settings = settings_of.read(STAGE, file)
    return package.build(STAGE, folder, platform=platform, settings=settings, python=sys.executable, say=lambda _: None)


@pytest.fixture(scope="package")
def deployed(
    built: package.Package,
    stage_secrets: dict[str, dict[str, Any]],
    adjustable: clock.Adjustable,
    stand_ins: standins.StandIns,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("engine")
    log, moved = folder / "engine.log", folder / "clock"
    opened: dict[str, Any] = {}
    settings = {
        "AUTH": "true",
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "LOG_LEVEL": "INFO",
        "PYTHONPATH": str(Path(__file__).parent / "movable_clock"),
        "BIANDAN_TEST_CLOCK": str(moved),
        "BIANDAN_LEAK": "what nobody tells a function",
    }
    try:
        with (
            engine.Engine(log=log, settings=settings, public_apis=True, functions_keep=HARNESS) as running,
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.delenv("AWS_ENDPOINT_URL", raising=False)  # The test run's own engine.
            session = boto3.session.Session(ACCOUNT, SECRET_KEY, region_name=REGION)
            session.client = at(session.client, running.url, opened)  # type: ignore[method-assign, assignment]
            keys.create(session, STAGE, stage_secrets)
            fit_engine(built)
            first_attempt = first_creation_that_fails(running.url, session, built, folder)
            outputs = bring_up(running.url, session, built, GIVEN, lambda _: None)
            gateway_responses(session, built, outputs["RestAPIId"])
            url = address(running.url, outputs)
            unpacked = running.folder
            yield Deployed(running.url, url, outputs, session, stand_ins, log, moved, adjustable, built, first_attempt)
            assert list(unpacked.glob("ministack-lambda-*")), "the functions are unpacked elsewhere, and stay there"
        assert not unpacked.exists()
    finally:
        for client in opened.values():
            client.close()


def first_creation_that_fails(url: str, session: Any, built: package.Package, folder: Path) -> str:
    """Create a stack that cannot be; returns what was said of it."""
    with pytest.raises(DeployError) as failed:
        bring_up(url, session, broken(built, folder / "broken"), GIVEN, lambda _: None)
    return str(failed.value)
