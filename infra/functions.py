"""What each Lambda function is: its memory, its timeout, and everything it may touch. Policies come from this page.

Least privilege is a table that people read: a function that needs one thing more gets one word more here, then
``make generate``. A denied call names the function, the action and the table in the test that records calls
(``tests/support/permissions.py``) and in the deploy test, where the engine evaluates the very roles of the stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib import topology

API = "api_handler"
"""Chalice's own name for the HTTP function; in AWS it is called ``biandan-<stage>-api``."""
RELAY = "relay"
DEADLINES = "deadlines"
BALANCES = "balances"
AUDIT_SEAL = "audit-seal"
TELLING = "telling"


@dataclass(frozen=True, slots=True)
class Function:
    """One function. Letters of a table: ``r`` read, ``a`` add, ``w`` put, update, check, ``d`` delete, ``b`` batch."""

    memory_mb: int
    timeout_s: int
    tables: Mapping[str, str] = field(default_factory=dict)
    sends: tuple[str, ...] = ()
    """Queues it sends to; its own dead letters are understood."""
    secrets: tuple[str, ...] = ()
    """Secrets it reads; ``payments-*`` is every secret of that prefix, so that one file adds a provider."""
    keeps: tuple[str, ...] = ()
    """Secrets it writes: what it fetched, never what was given to us."""
    puts: tuple[str, ...] = ()
    """Key prefixes of the bucket that it (or a URL it signs) writes and reads."""
    shows: tuple[str, ...] = ()
    """Key prefixes of which a URL it signs reads, and it writes nothing."""
    erases: tuple[str, ...] = ()
    """Key prefixes of the bucket of which it deletes objects with all their versions."""
    publishes: bool = False
    """Writes the files that everybody may read."""
    seals: bool = False
    """Writes, once each, the seals of the audit."""
    opens: bool = False
    """Opens sealed values of rows, and seals under data keys that are there (``runtime.seals``). Who moves a purchase
    on and never asks where it goes cannot find out either."""
    makes_keys: bool = False
    """Makes the first data key."""
    consumes: str | None = None
    sends_mail: bool = False
    """Gives e-mails to SES."""
    reads_streams: bool = False
    reads_due: bool = False


def event_queues() -> tuple[str, ...]:
    """Return the queues that some event goes to."""
    return tuple(sorted({queue for queues in topology.EVENTS.values() for queue in queues}))


def deadline_queues() -> tuple[str, ...]:
    """Return the queues that handle what is due."""
    return tuple(sorted({queue for _, queue in topology.DEADLINES.values()}))


PAYING = {"orders": "rw", "payments": "rw", "ledger": "ra", "holds": "w"}
"""What a captured, closed or refunded payment moves: one transaction over all of them. An entry is only ever added."""

CAPTURING = {**PAYING, "stock": "rwd", "products": "r", "merchants": "r"}
"""A capture that comes when its purchase has expired takes the whole basket again, if it is still sold."""

SHOWN = {"products": "r", "catalog": "r", "merchants": "r"}
"""What buyers see follows from these."""

FUNCTIONS: dict[str, Function] = {
    API: Function(
        # A full vCPU is 1,769 MB; argon2 and TLS are what this function's time goes to.
        memory_mb=1024,
        timeout_s=20,
        tables={
            "accounts": "rwd",
            "identities": "rwd",
            "sessions": "rwd",
            "merchants": "rw",
            "products": "rwd",
            "catalog": "rwdb",
            "stock": "rwd",
            "carts": "rwd",
            "shipments": "rw",
            "complaints": "rw",
            "bookings": "rw",
            "virtual": "rwd",
            "returns": "rw",
            "conversations": "rw",
            "feedback": "rw",
            "requests": "rw",
            "reconciliations": "rw",
            "balances": "r",
            "audit": "ra",
            "chains": "r",
            "consents": "rwd",
            "messages": "a",
            "inboxes": "rw",
            "keys": "ra",
            "privacy": "rw",
            "risk": "rw",
            "webhooks": "rw",
            **PAYING,
            "holds": "rw",
        },
        opens=True,
        makes_keys=True,
        sends=("payment-notices", "logistics"),
        secrets=("http", "auth", "checkout", "messages", "payments-*", "logistics-*", "sign-in-*"),
        puts=(
            "evidence/incoming/",
            "evidence/kept/",
            "catalog/",
            "reconciliation/",
            "virtual/incoming/",
            "virtual/kept/",
        ),
        shows=("archives/",),
        erases=("archives/",),
    ),
    RELAY: Function(memory_mb=512, timeout_s=30, sends=event_queues(), reads_streams=True),
    DEADLINES: Function(memory_mb=512, timeout_s=50, sends=deadline_queues(), reads_due=True),
    "checkout": Function(
        memory_mb=512,
        timeout_s=30,
        consumes="checkout",
        tables={**CAPTURING, "shipments": "r"},
        secrets=("payments-*",),
    ),
    "orders": Function(memory_mb=512, timeout_s=30, consumes="orders", tables={"orders": "rw"}),
    "payments": Function(memory_mb=512, timeout_s=30, consumes="payments", tables=CAPTURING, secrets=("payments-*",)),
    "payment-notices": Function(
        memory_mb=512, timeout_s=30, consumes="payment-notices", tables=CAPTURING, secrets=("payments-*",)
    ),
    "ledger": Function(memory_mb=512, timeout_s=30, consumes="ledger", tables={"ledger": "r", "balances": "rw"}),
    BALANCES: Function(memory_mb=512, timeout_s=50, tables={"ledger": "r", "balances": "rw"}),
    AUDIT_SEAL: Function(memory_mb=512, timeout_s=50, tables={"audit": "r", "chains": "ra"}, seals=True),
    "reconciliation": Function(
        # A bill is read from the disk a part at a time, in 70 MB however long it is. What 200,000 lines need is time:
        # up to 60 s to download, seconds of CPU (of which this has a quarter), 500 pieces to the bucket.
        memory_mb=512,
        timeout_s=120,
        consumes="reconciliation",
        tables={**CAPTURING, "reconciliations": "rwb"},
        secrets=("payments-*",),
        puts=("reconciliation/",),
    ),
    "reconcile": Function(memory_mb=512, timeout_s=60, tables={"reconciliations": "rw"}, secrets=("payments-*",)),
    "payment-keys": Function(memory_mb=512, timeout_s=60, secrets=("payments-*",), keeps=("payments-*-fetched",)),
    "catalog": Function(
        memory_mb=512,
        timeout_s=30,
        consumes="catalog",
        tables={"products": "rw", "catalog": "rwdb", "stock": "r"},
    ),
    "catalog-imports": Function(
        memory_mb=512,
        timeout_s=60,
        consumes="catalog-imports",
        tables={"products": "rwd", "catalog": "rwdb", "stock": "rwd", "merchants": "r"},
        puts=("catalog/",),
    ),
    "logistics": Function(
        memory_mb=512,
        timeout_s=30,
        consumes="logistics",
        tables={"shipments": "rw", "orders": "r", "keys": "r"},
        opens=True,
        secrets=("logistics-*",),
    ),
    "publishing": Function(
        # A pass writes up to 250 products and what lists show of them; its signatures are half of its time (CPU).
        memory_mb=1024,
        timeout_s=60,
        consumes="publishing",
        tables={"publishing": "rw", **SHOWN},
        publishes=True,
    ),
    "published-check": Function(memory_mb=512, timeout_s=120, tables={"publishing": "rw", **SHOWN}, publishes=True),
    "complaints": Function(
        memory_mb=512,
        timeout_s=30,
        consumes="complaints",
        # Goods that a clock grants are taken, and sent to where the first went.
        tables={"complaints": "rw", "stock": "rw", "keys": "r", **PAYING},
        opens=True,
    ),
    "bookings": Function(memory_mb=512, timeout_s=30, consumes="bookings", tables={"bookings": "rw", "orders": "rw"}),
    "virtual": Function(
        # It opens a code where it is free, and seals it where it belongs to a buyer.
        memory_mb=512,
        timeout_s=30,
        consumes="virtual",
        tables={"virtual": "rwd", "orders": "rw", "stock": "rw", "keys": "r"},
        opens=True,
    ),
    "returns": Function(
        memory_mb=512, timeout_s=30, consumes="returns", tables={"returns": "rw", "stock": "rw", **PAYING}
    ),
    "conversations": Function(memory_mb=512, timeout_s=30, consumes="conversations", tables={"conversations": "rw"}),
    "feedback": Function(
        memory_mb=512,
        timeout_s=30,
        consumes="feedback",
        tables={"feedback": "rw", "conversations": "r", "complaints": "r", "keys": "r"},
        opens=True,
    ),
    "notifications": Function(
        memory_mb=512,
        timeout_s=30,
        consumes="notifications",
        tables={"messages": "rw", "consents": "r", "inboxes": "rw", "keys": "r"},
        opens=True,
        secrets=("messages", "messages-*", "sign-in-qq-mini", "sign-in-wechat-mini"),
        sends_mail=True,
    ),
    TELLING: Function(
        memory_mb=512,
        timeout_s=30,
        consumes="telling",
        tables={"inboxes": "ra", "messages": "a", "orders": "r", "accounts": "r", "keys": "r"},
        opens=True,
        secrets=("messages",),
    ),
    "privacy": Function(
        memory_mb=512,
        timeout_s=60,
        consumes="privacy",
        tables={
            "privacy": "rw",
            "accounts": "rwd",
            "identities": "rd",
            "sessions": "rd",
            "carts": "rd",
            "orders": "rw",
            "payments": "r",
            "shipments": "rw",
            "bookings": "r",
            "requests": "rw",
            "complaints": "rwd",
            "returns": "rw",
            "conversations": "rw",
            "feedback": "rwd",
            "audit": "r",
            "chains": "r",
            "consents": "rwd",
            "holds": "r",
            "merchants": "r",
            "messages": "a",
            "inboxes": "rd",
            "risk": "rd",
            "keys": "r",
        },
        opens=True,
        secrets=("auth", "messages"),
        puts=("archives/",),
        shows=("evidence/kept/",),
        erases=("evidence/kept/", "archives/"),
    ),
    "risk": Function(
        # It opens where a purchase goes, and keeps a keyed digest of it.
        memory_mb=512,
        timeout_s=30,
        consumes="risk",
        tables={"risk": "rw", "orders": "r", "accounts": "r", "merchants": "r", "complaints": "r", "keys": "r"},
        opens=True,
        secrets=("http",),
    ),
    "webhooks": Function(
        # One message at a time: an endpoint may take 15 s to answer.
        memory_mb=512,
        timeout_s=30,
        consumes="webhooks",
        tables={"webhooks": "rw", "orders": "r", "products": "r", "keys": "r"},
        opens=True,
    ),
}
"""Chalice's function name -> function. A queue's function is called like its queue."""

QUEUE_FUNCTIONS: dict[str, str] = {
    function.consumes: name for name, function in FUNCTIONS.items() if function.consumes is not None
}
"""Queue -> its function."""

VISIBILITY_FACTOR = 6
"""A queue hides a message six times its function's timeout (AWS's advice), so that no copy runs beside a slow one."""


def lambda_name(name: str) -> str:
    """Return the part of a function's name in AWS behind ``biandan-<stage>-``."""
    return "api" if name == API else name


def visibility_s(queue: str) -> int:
    """Return the queue's visibility timeout."""
    return VISIBILITY_FACTOR * FUNCTIONS[QUEUE_FUNCTIONS[queue]].timeout_s
