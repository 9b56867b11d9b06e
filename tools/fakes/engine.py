"""The embedded AWS: ministack as a child process on 127.0.0.1, behind a door (``tools.fakes.engine_door``).

Every run has a secret of its own. Who starts an engine knows it, and so does every process that is started from there
(:func:`environment`, the variable ``BIANDAN_ENGINE_SECRET``); a call that is not signed with it is refused.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from tools.shared import private

REGION = "us-east-1"
LOCAL_ACCOUNT = "000000000000"
SECRET_VARIABLE = "BIANDAN_ENGINE_SECRET"  # noqa: S105 -- its name
_DOOR = Path(__file__).with_name("engine_door.py")
_secrets_of: dict[str, str] = {}
"""The secrets of the engines that this process has started, by address."""


def secret(url: str = "") -> str:
    """Return the secret of an engine: its own where this process started it, else this run's.

    A run makes its secret up; the processes that are started from here inherit it.
    """
    return _secrets_of.get(url) or os.environ.setdefault(SECRET_VARIABLE, secrets.token_hex(32))


class EngineError(Exception):
    """The embedded engine did not start; the message says what to do."""


def free_port(wanted: int = 0) -> int:
    """Return ``wanted`` if it is free on 127.0.0.1, else a port the system picks."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise EngineError("no free port on 127.0.0.1")


class Engine:
    """One running ministack. ``data`` keeps its state between starts; without it nothing is kept."""

    def __init__(
        self,
        *,
        port: int = 0,
        data: Path | None = None,
        log: Path | None = None,
        settings: Mapping[str, str] | None = None,
        public_apis: bool = False,
        functions_keep: Iterable[str] = (),
    ) -> None:
        """``settings`` are further variables of its environment; the Lambda functions it runs inherit none of them.

        ``functions_keep`` names those that functions get all the same (a test's harness). ``public_apis`` lets
        everybody call the APIs that are deployed there, as everybody may on AWS.
        """
        self.port = free_port(port)
        self.url = f"http://127.0.0.1:{self.port}"
        self._data = data
        self._log = log
        self._settings = {
            "ENGINE_DOOR_PUBLIC_APIS": "1" if public_apis else "",
            "ENGINE_DOOR_FUNCTIONS_KEEP": ",".join(functions_keep),
            **(settings or {}),
        }
        self.secret = self._settings.setdefault("AWS_SECRET_ACCESS_KEY", secret())
        _secrets_of[self.url] = self.secret
        self._process: subprocess.Popen[bytes] | None = None
        self._unpacked: TemporaryDirectory[str] | None = None

    def start(self, timeout_s: float = 120) -> Self:
        """Start and wait until it answers.

        Raises:
            EngineError: if it ended or did not answer in time.
        """
        # It unpacks every function's code into a folder of its own and leaves it there when it ends: tens of MB each.
        self._unpacked = TemporaryDirectory(prefix="biandan-engine-", ignore_cleanup_errors=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BIANDAN_"))},
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": "127.0.0.1",
            "LOG_LEVEL": "WARNING",
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": self._unpacked.name,
            "IOT_MTLS_ENABLED": "0",  # Else it listens on port 8883 of every interface.
            **self._settings,
        }
        if self._data is not None:
            self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._data.chmod(0o700)
            environment |= {
                "PERSIST_STATE": "1",
                "STATE_DIR": str(self._data),
                "S3_PERSIST": "1",
                "S3_DATA_DIR": str(self._data / "s3"),
            }
        if self._log is not None:
            private.touch(self._log)
        with (self._log or Path(os.devnull)).open("ab") as output:
            self._process = subprocess.Popen(
                [*_command()],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,  # What it keeps holds everything the shop knows.
            )
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise EngineError(f"the embedded engine ended with code {self._process.returncode}; see {self._log}")
            if self._answers():
                return self
            time.sleep(0.05)
        self.stop()
        raise EngineError(f"the embedded engine did not answer on port {self.port} within {timeout_s:.0f} s")

    @property
    def folder(self) -> Path:
        """Return where it keeps what it needs while it runs: the code of functions; gone when it stops.

        Raises:
            EngineError: before it was started.
        """
        if self._unpacked is None:
            raise EngineError("the embedded engine was not started")
        return Path(self._unpacked.name)

    @property
    def pid(self) -> int:
        """Return its process id, 0 while it does not run."""
        return self._process.pid if self._process is not None else 0

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_door", timeout=5):  # noqa: S310
                return True
        except OSError:
            return False

    def stop(self) -> None:
        """Ask it to end, so that it writes its state, and wait."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=120)  # A busy machine writes its state slowly; killed, it loses it.
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        if self._unpacked is not None:
            self._unpacked.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def copy_account(url: str, source: str, to: str, *, drop: str = "") -> None:
    """Let an account that holds nothing hold what another held when it was first copied; ``drop`` forgets a third.

    Raises:
        urllib.error.HTTPError: if the engine refuses.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    body = json.dumps({"copy": source, "to": to, "drop": drop}).encode()
    request = AWSRequest("POST", f"{url}/_door/accounts", data=body, headers={"content-type": "application/json"})
    SigV4Auth(Credentials(source, secret(url)), "dynamodb", REGION).add_auth(request)
    sent = urllib.request.Request(f"{url}/_door/accounts", body, dict(request.headers.items()), method="POST")  # noqa: S310
    with urllib.request.urlopen(sent, timeout=120):  # noqa: S310
        return


def _command() -> list[str]:
    if find_spec("ministack") is None:
        raise EngineError("ministack is not installed: run make venv")
    return [sys.executable, "-P", str(_DOOR)]  # -P: our folder of tools is none of its modules' places.


def environment(url: str, *, account: str = LOCAL_ACCOUNT, stage: str = "local") -> dict[str, str]:
    """Return the variables under which the same code finds the embedded engine. ``account`` isolates all state."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": secret(url),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "BIANDAN_STAGE": stage,
    }
