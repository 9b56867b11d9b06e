"""A secret that is missing is told as what it is, also where AWS only says that we may not read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.kernel.errors import Misconfigured
from chalicelib.runtime import aws, caches, log, secrets
from chalicelib.runtime.config import config
from chalicelib.runtime.strength import OURS
from tests.support import http


@pytest.fixture
def in_the_cloud(cloud: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "biandan-dev-api")
    config.cache_clear()
    caches.forget_all()
    yield
    monkeypatch.undo()
    config.cache_clear()
    caches.forget_all()


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "InvalidRequestException"])
def test_the_api_says_that_it_is_not_set_up(
    in_the_cloud: None, monkeypatch: pytest.MonkeyPatch, name: str, code: str
) -> None:
    """The policy names a secret with the six characters at its end; there is none that fits, so AWS denies access."""
    asked: list[str] = []
    told: list[str] = []
    monkeypatch.setattr(log, "error", lambda _, **fields: told.append(fields.get("why", "")))

    def hook(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if service != "secretsmanager":
            return proceed()
        asked.append(params["SecretId"])
        if params["SecretId"].endswith(f"/{name}"):
            raise ClientError({"Error": {"Code": code, "Message": "not authorized"}}, operation)
        return {"SecretString": json.dumps(GOOD[params["SecretId"].rsplit("/", 1)[-1]])}

    with aws.hooked(hook):
        answers = [http.application()(http.event("GET", "/v1/categories"), None) for _ in range(3)]
    for answer in answers:
        problem = json.loads(answer["body"])
        assert (answer["statusCode"], problem["code"]) == (500, "misconfigured")
        assert answer["headers"]["Content-Type"] == "application/problem+json"
        assert "biandan/" not in answer["body"]  # To its operator, not to strangers.
    assert f"/{name} does not exist" in told[0]
    assert len([one for one in asked if one.endswith(f"/{name}")]) == 1  # Nobody makes us ask at will.


def test_what_else_fails_is_not_taken_for_a_missing_secret(cloud: str) -> None:
    def hook(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        raise ClientError({"Error": {"Code": "DecryptionFailure", "Message": ""}}, operation)

    caches.forget_all()
    with aws.hooked(hook), pytest.raises(ClientError):
        secrets.secret("http")
    assert not issubclass(ClientError, Misconfigured)


_DRAWN = "Zk3vQ9xT7mLp2RcWfYh8BnUa5sJd4GeX"
GOOD: dict[str, dict[str, Any]] = {
    "http": {"cursor_key": _DRAWN},
    "checkout": {"quote_key": _DRAWN[::-1]},
    "auth": {
        "pepper": _DRAWN[1:] + "q",
        "signing_keys": [{"kid": "k1", "seed": "9wXkq0dE5nJm2vYtR7cLbA1sGhUfPzO8iKjQeTyWx3M="}],
    },
}
