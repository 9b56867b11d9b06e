"""The finished zip: only what runs, compiled, the same bytes every time, and complete without any other package."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra import functions
from tests.support import passkeys
from tools.release import package

pytestmark = pytest.mark.xdist_group("package")

PLATFORM = package.LAMBDA if package.host_runs_lambda() else package.HOST


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("zip") / "code.zip"
    package.build_zip(target, PLATFORM, say=lambda _: None)
    return target


@pytest.fixture(scope="module")
def unpacked(code: Path) -> Path:
    folder = code.with_name("unpacked")
    with zipfile.ZipFile(code) as archive:
        archive.extractall(folder)
    return folder


def test_the_same_source_gives_the_same_bytes(code: Path, tmp_path: Path) -> None:
    package.build_zip(tmp_path / "again.zip", PLATFORM, say=lambda _: None)

    assert digest(tmp_path / "again.zip") == digest(code)


def test_compiling_the_packages_again_gives_the_same_bytes(unpacked: Path, tmp_path: Path) -> None:
    copy = tmp_path / "tree"
    shutil.copytree(unpacked, copy, ignore=shutil.ignore_patterns("__pycache__"))
    package.compile_tree(copy, package.this_interpreter())

    before = {path.relative_to(unpacked): digest(path) for path in unpacked.rglob("*.pyc")}
    assert before == {path.relative_to(copy): digest(path) for path in copy.rglob("*.pyc")}
    assert len(before) > 500


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_only_what_runs_is_in_it(code: Path) -> None:
    with zipfile.ZipFile(code) as archive:
        found = archive.namelist()
        assert {info.date_time for info in archive.infolist()} == {package.EPOCH}
    assert found == sorted(found)
    tops = {name.split("/")[0] for name in found}
    assert not tops & {"boto3", "s3transfer", "tools", "tests", "infra", "docs", "moto", "ministack", "pip", "bin"}
    assert [name for name in found if name.startswith("chalice/") and name.endswith(".py")] == [
        "chalice/__init__.py",
        "chalice/app.py",
    ]
    assert not [name for name in found if "/tests/" in name or ".dist-info/" in name]
    services = {name.split("/")[2] for name in found if name.startswith("botocore/data/")} - set(package.DATA_FILES)
    assert services == set(package.SERVICES)


def test_all_byte_code_is_there_and_never_checked_against_its_source(code: Path) -> None:
    tag = sys.implementation.cache_tag
    with zipfile.ZipFile(code) as archive:
        found = set(archive.namelist())
        for name in found:
            if name.endswith(".py"):
                folder, _, stem = name.removesuffix(".py").rpartition("/")
                compiled = f"{folder}/__pycache__/{stem}.{tag}.pyc".lstrip("/")
                assert compiled in found
                # PEP 552: flags 0b01 mean "by hash, and unchecked".
                assert archive.read(compiled)[4:8] == (1).to_bytes(4, "little")


def test_every_function_imports_from_the_zip_alone(unpacked: Path) -> None:
    """No site-packages, no working directory: what is missing in the zip is missing here."""
    from chalicelib import topology

    modules = ["app", "chalicelib.runtime.functions", *topology.FUNCTION_MODULES]
    assert len(modules) >= len(functions.FUNCTIONS) - 1
    lines = [
        "import sys",
        f"sys.path = [{str(unpacked)!r}] + [p for p in sys.path if 'site-packages' not in p]",
        *(f"import {module}" for module in modules),
        "from chalicelib.routes import ROUTES",
        "from importlib import import_module",
        "[import_module(line[2]).routes for line in ROUTES]",
        "import argon2, jwt, cryptography.hazmat.primitives.asymmetric.ed25519 as e",
        "e.Ed25519PrivateKey.generate()",
        "from chalicelib.runtime import sdk",
        "[sdk.client(name) for name in ('s3', 'secretsmanager', 'sts', 'dynamodb', 'sqs')]",
        "sdk.client('s3').generate_presigned_post('b', 'k')",
        "outside = [m for m in sys.modules.values() if 'site-packages' in (getattr(m, '__file__', None) or '')]",
        "assert not outside, outside",
    ]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "\n".join(lines)],
        check=False,
        capture_output=True,
        text=True,
        env={
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_FUNCTION_NAME": "biandan-dev-api",
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
        },
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_passkeys_are_checked_by_the_library_that_ships(unpacked: Path) -> None:
    """The zip may hold an older release of it than this machine: what runs is what is tried here."""
    token, challenge = "bdc1." + "A" * 43, "A" * 43
    lines = [
        "import sys, json",
        f"sys.path = [{str(unpacked)!r}] + [p for p in sys.path if 'site-packages' not in p]",
        "from datetime import datetime, UTC",
        "from chalicelib.auth.passkeys import ceremony, domain",
        "from chalicelib.auth.relying_party import Party",
        "party = Party('localhost', frozenset(), is_local=True)",
        "for one in json.load(sys.stdin):",
        "    made = domain.Made(one['made']['id'], one['made']['client_data'], one['made']['attestation'])",
        f"    key = ceremony.made(made, token={token!r}, party=party)",
        "    at = datetime.now(UTC)",
        "    pky = domain.Passkey('pky', 'acc', made.credential, key.public_key, 0, False, False, '', at)",
        "    got = one['signed']; del got['user_handle']",
        "    signed = domain.Signed(*[got[name] for name in ('id', 'client_data', 'authenticator_data', 'signature')])",
        f"    assert ceremony.signed(signed, pky, token={token!r}, party=party, verifies=True).verified",
        "    try:",
        "        wrong = domain.Signed(signed.credential, signed.client_data, signed.authenticator_data, 'AAAA')",
        f"        ceremony.signed(wrong, pky, token={token!r}, party=party, verifies=True)",
        "    except domain.PasskeyRefused:",
        "        continue",
        "    raise AssertionError('a wrong signature')",
        "import webauthn; assert webauthn.__file__.startswith(sys.path[0])",
    ]
    said = []
    for kind in ("ES256", "EdDSA", "RS256"):
        mine = passkeys.Authenticator(kind)
        options = {"challenge": challenge, "rpId": "localhost", "rp": {"id": "localhost"}, "user": {"id": "AA"}}
        said.append({"made": mine.make(options), "signed": mine.answer(options)})
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "\n".join(lines)],
        check=False, capture_output=True, text=True, input=json.dumps(said), env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def test_it_is_small(code: Path) -> None:
    """Lambda takes 50 MB zipped and 250 MB unpacked; the zip is fetched at each cold start.

    18.9 MB are there: half of it is compiled libraries, 0.8 MB the word lists that passwords are judged by, 0.9 MB what
    checks passkeys, 4.2 MB our own.
    """
    assert code.stat().st_size < 19_200_000
