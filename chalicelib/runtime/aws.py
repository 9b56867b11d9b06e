"""The one seam to AWS: every call goes through :func:`call`, where hooks can watch or interfere.

Metering, fault injection and the simulator are hooks. A hook is called around each operation::

    def hook(service, operation, params, proceed):
        return proceed()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from chalicelib.runtime import retries, sdk, transport

Params = dict[str, Any]
Answer = dict[str, Any]
Hook = Callable[[str, str, Params, Callable[[], Answer]], Answer]

_hooks: list[Hook] = []

OURS_TO_REPEAT = ("dynamodb", "dynamodbstreams")
"""Their callers say what may be done twice (``runtime.db.dynamo``). What we ask of the others may always be: a message
that is sent twice is handled once, a secret is read, or written under a token."""


def call(service: str, operation: str, params: Params) -> Answer:
    """Make one API call (``call("sqs", "SendMessage", {...})``) through the hooks.

    Raises:
        Busy: if there is no time left for it, or, but for DynamoDB, if its repeats did not help either.
        botocore.exceptions.ClientError: as the service answers.
    """

    def send() -> Answer:
        if service in OURS_TO_REPEAT:
            return transport.call(service, operation, params)
        if service in transport.TARGETS:
            again = partial(transport.call, service, operation, transport.with_token(service, operation, params))
            return retries.retrying(again, repeatable=True, counted="aws_retries")
        answer: Answer = sdk.client(service)._make_api_call(operation, params)
        return answer

    proceed: Callable[[], Answer] = send
    for hook in _hooks:
        proceed = _around(hook, service, operation, params, proceed)
    return proceed()


def _around(
    hook: Hook, service: str, operation: str, params: Params, proceed: Callable[[], Answer]
) -> Callable[[], Answer]:
    return lambda: hook(service, operation, params, proceed)


@contextmanager
def hooked(hook: Hook) -> Iterator[None]:
    """Install a hook for the length of a block; the last installed is the outermost."""
    _hooks.append(hook)
    try:
        yield
    finally:
        _hooks.remove(hook)


def forget_clients() -> None:
    """Drop session, clients and connections: after the environment changed (tests that switch accounts)."""
    sdk.forget()
    transport.forget()


def error_code(error: Exception) -> str:
    """Return the service's error code of a ``ClientError``, else an empty string."""
    return retries.code_of(error)
