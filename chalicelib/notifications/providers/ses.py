"""Amazon SES: ``SendEmail`` of its version 2, as the function's own role. Its client is built by the first message."""

from __future__ import annotations

from chalicelib.kernel.errors import Busy
from chalicelib.notifications.domain import Kind, Outcome, is_one_line
from chalicelib.notifications.ports import Delivery, Outgoing
from chalicelib.runtime import aws
from chalicelib.runtime.config import setting

SENDER = "BIANDAN_EMAIL_FROM"

_RETRY = ("TooManyRequestsException", "LimitExceededException", "ThrottlingException", "Throttling")
_ALERT = (
    "MailFromDomainNotVerifiedException",
    "AccountSuspendedException",
    "SendingPausedException",
    "AccessDeniedException",
    "AccessDenied",
    "NotFoundException",
)
_CERTAINLY_NOT = ("EndpointConnectionError", "ConnectTimeoutError")
"""Names of botocore's errors of a call that nobody heard."""


def outcome_of(code: str) -> Outcome:
    """Return what SES's code means for the message; one that nobody wrote down is final."""
    if code in _RETRY or code.startswith("5"):
        return Outcome.RETRY
    return Outcome.ALERT if code in _ALERT else Outcome.FINAL


class Ses:
    """The adapter."""

    name = "ses"
    kind = Kind.EMAIL
    knows_repeats = False

    def send(self, message: Outgoing) -> Delivery:
        """See ``ports.Channel``."""
        sender = setting(SENDER)
        if not sender:
            return Delivery(Outcome.ALERT, "no_sender")
        if not all(map(is_one_line, (sender, message.to, message.subject))):
            return Delivery(Outcome.FINAL, "line_end_in_a_header")
        try:
            answer = aws.call("sesv2", "SendEmail", _asked(message, sender))
        except Busy:
            return Delivery(Outcome.RETRY, "no_time_left")
        except Exception as error:
            return _failed(error)
        return Delivery(Outcome.SENT, reference=str(answer.get("MessageId", ""))[:100])


def _asked(message: Outgoing, sender: str) -> dict[str, object]:
    def text(data: str) -> dict[str, str]:
        return {"Data": data, "Charset": "UTF-8"}

    return {
        "FromEmailAddress": sender,
        "Destination": {"ToAddresses": [message.to]},
        "Content": {"Simple": {"Subject": text(message.subject), "Body": {"Text": text(message.body)}}},
        "EmailTags": [{"Name": "message", "Value": message.message_id}],
    }


def _failed(error: Exception) -> Delivery:
    code = aws.error_code(error)
    if code:
        status = int(getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return Delivery(Outcome.RETRY if status >= 500 else outcome_of(code), code[:100])
    name = type(error).__name__
    if name in _CERTAINLY_NOT:
        return Delivery(Outcome.RETRY, name)
    if type(error).__module__.startswith(("botocore", "urllib3")):
        return Delivery(Outcome.UNKNOWN, name)
    raise error


def build() -> Ses:
    """Return the adapter."""
    return Ses()
