"""The Lambda runtime that is packaged for: the newest at hand, named with its end, never one that has ended."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from datetime import date, timedelta
from pathlib import Path

import pytest

from infra import runtimes
from infra.runtimes import RUNTIMES, Unsupported
from tools.release import interpreters, package

NOW = date(2026, 11, 29)
AFTER_3_11 = date(2027, 7, 1)


def fake(folder: Path, name: str, says: str, *, code: int = 0) -> Path:
    """A command that says of itself what an interpreter would."""
    command = folder / name
    command.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n", encoding="ascii")
    command.chmod(0o755)
    return command


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has 3.11 (which runs us), 3.13, and a 3.14 that does not start."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(sys, "executable", str(fake(folder, "python3", "cpython 3 11 3.11.9 (main)")))
    fake(folder, "python3.13", "cpython 3 13 3.13.1 (main)")
    fake(folder, "python3.14", "cannot open shared object", code=127)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("PYENV_ROOT", "XDG_DATA_HOME", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_the_newest_that_runs_and_is_supported_is_taken(machine: Path) -> None:
    found = interpreters.chosen()
    assert (found.tag, found.path) == ("3.13", str(machine / "python3.13"))
    (machine / "python3.13").unlink()
    assert interpreters.chosen().tag == "3.11"
    assert interpreters.chosen("python3").tag == "3.11"


def test_a_shim_that_does_not_run_hides_none_behind_it(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shims = tmp_path / "shims"
    shims.mkdir()
    fake(shims, "python3.13", "command not found", code=127)
    monkeypatch.setenv("PATH", os.pathsep.join([str(shims), "", str(machine)]))
    assert interpreters.chosen().path == str(machine / "python3.13")


@pytest.mark.parametrize(
    ("variable", "below", "version"),
    [
        ("", ".pyenv/versions", "3.12.7"),
        ("", ".local/share/uv/python", "cpython-3.12.7-linux-x86_64-gnu"),
        ("PYENV_ROOT", "elsewhere/versions", "3.12.7"),
        ("UV_PYTHON_INSTALL_DIR", "elsewhere", "cpython-3.12.7-linux-x86_64-gnu"),
    ],
)
def test_those_of_a_manager_of_versions_are_found(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, below: str, version: str
) -> None:
    (machine / "python3.13").unlink()
    assert interpreters.chosen().tag == "3.11"
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    folder = tmp_path / below / version / "bin"
    folder.mkdir(parents=True)
    fake(folder, "python3.12", "cpython 3 12 3.12.7 (main)")
    assert interpreters.chosen().path == str(folder / "python3.12")


NEWER = [one for one in interpreters.at_hand() if one.version > sys.version_info[:2]]
"""What this machine has beside the Python that runs the tests."""


@pytest.mark.skipif(not NEWER or not package.host_runs_lambda(), reason="no newer Python is on this machine")
def test_the_zip_of_a_newer_python_is_whole_and_starts_there(tmp_path: Path) -> None:
    """Really built and really started: the wheels of that version, and byte code that it takes."""
    newest = max(NEWER, key=lambda one: one.version)
    try:
        package.build_zip(tmp_path / "code.zip", package.LAMBDA, lambda _: None, newest)
    except package.PackageError as error:
        if "No matching distribution" not in str(error):
            raise
        pytest.skip(f"the package index here has no wheels for Python {newest.tag}")
    with zipfile.ZipFile(tmp_path / "code.zip") as archive:
        archive.extractall(tmp_path / "task")
        byte_code = {name for name in archive.namelist() if name.endswith(".pyc")}
    assert byte_code
    assert all(name.endswith(f".cpython-{newest.tag.replace('.', '')}.pyc") for name in byte_code)
    told = "import sys; sys.path.insert(0, '.'); import app; print(len(app.app.routes), *sys.version_info[:2])"
    done = subprocess.run(
        [newest.path, "-I", "-S", "-c", told],
        cwd=tmp_path / "task",
        env={"BIANDAN_STAGE": "dev", "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    routes, *version = map(int, done.stdout.split())
    assert (routes > 0, tuple(version)) == (True, newest.version)


def test_a_named_one_is_taken_or_refused(machine: Path) -> None:
    assert interpreters.chosen(str(machine / "python3")).version == (3, 11)
    fake(machine, "pypy", "pypy 3 11 3.11.9")
    fake(machine, "old", "cpython 3 8 3.8.1")
    for name in ("pypy", "nowhere", "python3.14"):
        with pytest.raises(Unsupported, match="is no CPython that runs here"):
            interpreters.chosen(name)
    with pytest.raises(Unsupported, match=r"no Python 3\.8 that we know of; there are python3\.1"):
        interpreters.chosen("old")


def test_a_runtime_that_has_ended_is_refused_from_the_day_after() -> None:
    last = RUNTIMES[3, 11].ends
    assert runtimes.supported((3, 11), last).identifier == "python3.11"
    with pytest.raises(Unsupported, match=r"AWS ended python3\.11 on 2027-06-30; take one of python3\.12, python3"):
        runtimes.supported((3, 11), AFTER_3_11)
    with pytest.raises(Unsupported):
        runtimes.newest([(3, 11)], AFTER_3_11)
    assert runtimes.newest([(3, 11), (3, 12), (3, 99)], AFTER_3_11).version == (3, 12)


def test_the_package_is_not_built_for_a_runtime_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = {
        version: runtimes.Runtime(version, one.glibc_minor, date(2020, 1, 1), date(2020, 3, 1))
        for version, one in RUNTIMES.items()
    }
    monkeypatch.setattr(runtimes, "RUNTIMES", ended)
    with pytest.raises(package.PackageError, match="AWS ended python3"):
        package.build("dev", say=lambda _: None)


def test_an_end_is_told_before_it_comes() -> None:
    runtime = RUNTIMES[3, 11]
    assert runtimes.warning(runtime, NOW).startswith("python3.11 ends in 213 days, on 2027-06-30")
    assert runtimes.warning(runtime, runtime.ends - runtimes.SOON - timedelta(days=1)) == ""


def test_functions_run_on_the_runtime_that_was_packaged_for() -> None:
    template = package.sam_template("dev")
    python = interpreters.Interpreter("/usr/bin/python3.13", (3, 13), "3.13.1")
    package._set_runtime(template, python)
    found = [part for part in template["Resources"].values() if part["Type"] == "AWS::Serverless::Function"]
    assert {part["Properties"]["Runtime"] for part in found} == {"python3.13"}
    assert "manylinux_2_34_x86_64" in package._pip_platform(python.runtime)
    assert "cp313" in package._pip_platform(python.runtime)


def test_updates_end_after_support_does() -> None:
    assert all(runtime.ends < runtime.last_update for runtime in RUNTIMES.values())
