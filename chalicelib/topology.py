"""The whole chain on one page: which tables there are, which event goes to which queues, who handles what is due.

Tables come from the PynamoDB models of the modules named here, queues from :data:`QUEUES`; the stack in ``infra/`` is
generated from both and checked for drift.
"""

from __future__ import annotations

TABLES: dict[str, str] = {
    "accounts": "chalicelib.auth.store",
    "identities": "chalicelib.auth.store",
    "sessions": "chalicelib.auth.sessions.store",
    "merchants": "chalicelib.merchants.store",
    "products": "chalicelib.catalog.store",
    "catalog": "chalicelib.catalog.store",
    "stock": "chalicelib.inventory.store",
    "carts": "chalicelib.cart.store",
    "orders": "chalicelib.orders.rows",
    "holds": "chalicelib.orders.hold_store",
    "payments": "chalicelib.payments.store.rows",
    "ledger": "chalicelib.ledger.store",
    "balances": "chalicelib.ledger.balance_store",
    "reconciliations": "chalicelib.reconciliation.store",
    "shipments": "chalicelib.logistics.store",
    "complaints": "chalicelib.complaints.store",
    "bookings": "chalicelib.bookings.store",
    "virtual": "chalicelib.virtual.store",
    "returns": "chalicelib.returns.store",
    "conversations": "chalicelib.conversations.store",
    "feedback": "chalicelib.feedback.store",
    "requests": "chalicelib.requests.store",
    "audit": "chalicelib.oversight.store",
    "chains": "chalicelib.oversight.chain.store",
    "publishing": "chalicelib.publishing.store",
    "consents": "chalicelib.consents.store",
    "messages": "chalicelib.notifications.store",
    "inboxes": "chalicelib.notifications.inbox_store",
    "keys": "chalicelib.runtime.seals.store",
    "privacy": "chalicelib.privacy.store",
    "risk": "chalicelib.risk.reviews.store",
    "webhooks": "chalicelib.webhooks.store",
}
"""Table -> the module whose models describe it; only stores touch it."""

QUEUES: dict[str, str] = {
    "checkout": "chalicelib.checkout.consumers",
    "orders": "chalicelib.orders.consumers",
    "payments": "chalicelib.payments.consumers",
    "payment-notices": "chalicelib.payments.webhooks.consumer",
    "ledger": "chalicelib.ledger.consumers",
    "reconciliation": "chalicelib.reconciliation.consumers",
    "catalog": "chalicelib.catalog.consumers",
    "catalog-imports": "chalicelib.catalog.imports",
    "logistics": "chalicelib.logistics.consumers",
    "complaints": "chalicelib.complaints.consumers",
    "bookings": "chalicelib.bookings.consumers",
    "virtual": "chalicelib.virtual.consumers",
    "returns": "chalicelib.returns.consumers",
    "conversations": "chalicelib.conversations.consumers",
    "feedback": "chalicelib.feedback.consumers",
    "publishing": "chalicelib.publishing.consumers",
    "privacy": "chalicelib.privacy.consumers",
    "notifications": "chalicelib.notifications.consumers",
    "telling": "chalicelib.telling.consumers",
    "risk": "chalicelib.risk.consumers",
    "webhooks": "chalicelib.webhooks.consumers",
}
"""Queue -> the module whose function consumes it. Every queue has a dead-letter queue."""

SCHEDULES: dict[str, str] = {
    "reconcile": "chalicelib.reconciliation.daily",
    "payment-keys": "chalicelib.payments.keys.schedule",
    "balances": "chalicelib.ledger.rollup",
    "published-check": "chalicelib.publishing.nightly",
    "audit-seal": "chalicelib.oversight.chain.schedule",
}
"""Function that runs by the clock -> the module that declares it; beside the deadline job, which is the runtime's."""

FUNCTION_MODULES: tuple[str, ...] = tuple(dict.fromkeys((*QUEUES.values(), *SCHEDULES.values())))
"""Modules that declare Lambda functions beside the relay and the deadline job: one Blueprint ``functions`` each."""

EVENTS: dict[str, tuple[str, ...]] = {
    # Event type -> queues. A type that nobody waits for yet stands here with none.
    "purchase.placed": (),
    "purchase.paid": (),
    "purchase.expired": ("risk", "telling"),
    "purchase.cancelled": ("risk",),
    "order.paid": ("webhooks",),
    "order.shipped": (),
    "order.turned_back": (),
    "order.delivered": (),
    "order.completed": ("webhooks",),
    "order.address_asked": ("telling",),
    "order.address_changed": ("telling",),
    "order.shipping_due": ("telling",),
    "order.shipping_late": ("telling",),
    "order.cancelled": ("telling", "webhooks"),
    "order.appointments_void": ("bookings",),
    "order.virtual_paid": ("virtual",),
    "order.virtual_paid_back": ("virtual",),
    "virtual.awaited": ("telling",),
    "virtual.delivered": ("telling",),
    "virtual.missed": ("telling",),
    "virtual.revoked": (),
    "pool.filled": ("virtual",),
    "pool.ran_low": ("telling",),
    "order.replacement_cancelled": ("complaints",),
    "payment.started": (),
    "payment.captured": ("risk", "telling"),
    "payment.closed": (),
    "payment.quarantined": (),
    "payment.disputed": ("reconciliation",),
    "payment.noticed": ("payment-notices",),
    "payment.stray": ("reconciliation",),
    "payment.stray_settled": ("reconciliation",),
    "payment.unclear": ("reconciliation",),
    "payment.clear": ("reconciliation",),
    "refund.requested": ("payments",),
    "refund.succeeded": ("orders", "complaints", "returns", "reconciliation", "risk", "telling", "webhooks"),
    "refund.bounced": ("orders", "complaints", "returns", "telling", "webhooks"),
    "refund.failed": ("complaints", "reconciliation"),
    "refund.owed": ("reconciliation",),
    "deadline.parked": ("reconciliation",),
    "ledger.posted": ("ledger",),
    "reconciliation.advanced": ("reconciliation",),
    "case.opened": (),
    "case.closed": (),
    "stock.depleted": ("catalog", "webhooks"),
    "stock.replenished": ("catalog", "webhooks"),
    "product.listed": ("catalog", "publishing"),
    "product.changed": ("catalog", "publishing"),
    "product.unlisted": ("catalog", "publishing"),
    "product.stock_turned": ("publishing",),
    "categories.changed": ("publishing",),
    "bulk.advanced": ("catalog-imports",),
    "shipment.created": ("logistics", "telling", "webhooks"),
    "shipment.progressed": (),
    "shipment.delivered": ("orders", "telling", "webhooks"),
    "shipment.returned": (),
    "shipment.lost": ("orders", "telling"),
    "shipment.corrected": ("logistics",),
    "shipment.turned_back": ("orders", "telling", "webhooks"),
    "shipment.return_sent": ("logistics",),
    "shipment.return_moved": ("returns",),
    "tracking.pushed": ("logistics",),
    "booking.confirmed": ("telling",),
    "booking.moved": ("telling",),
    "booking.ended": ("telling",),
    "booking.redeemed": ("telling",),
    "booking.missed": ("telling",),
    "request.asked": ("telling",),
    "request.said": ("telling",),
    "request.offered": ("telling",),
    "request.accepted": ("telling",),
    "request.ended": ("telling",),
    "complaint.filed": ("risk", "telling", "webhooks"),
    "complaint.replied": ("telling",),
    "complaint.escalated": ("telling", "webhooks"),
    "complaint.asked": ("telling",),
    "complaint.decided": ("telling", "webhooks"),
    "complaint.reopened": ("telling", "webhooks"),
    "complaint.closed": ("feedback", "telling", "webhooks"),
    "return.requested": ("telling",),
    "return.moved": ("telling",),
    "return.closed": ("telling",),
    "conversation.unread": ("telling",),
    "conversation.called": (),
    "conversation.solved": ("feedback",),
    "feedback.answered": ("telling",),
    "satisfaction.asked": ("telling",),
    "account.registered": ("risk",),
    "account.role_granted": ("telling",),
    "account.role_revoked": ("telling",),
    "device.shared": ("risk",),
    "session.reused": ("telling",),
    "message.asked": ("notifications",),
    "webhook.asked": ("webhooks",),
    "webhook.ended": ("telling",),
    "merchant.created": ("publishing", "risk"),
    "merchant.changed": ("publishing",),
    "merchant.suspended": ("publishing",),
    "merchant.reinstated": ("publishing",),
    "shard.marked": ("publishing",),
    "erasure.advanced": ("privacy",),
    "archive.advanced": ("privacy",),
}

DERIVED: dict[str, str] = {
    "stock": "chalicelib.inventory.events:crossings",
    "ledger": "chalicelib.ledger.events:posted",
}
"""Tables whose events are worked out from the old and the new image, because their rows change without being read."""

DEADLINES: dict[str, tuple[str, str]] = {
    # Prefix of the record's id -> (kind, queue that handles its timeout).
    "pur": ("purchase", "checkout"),
    "ord": ("order", "checkout"),
    "pay": ("payment", "payments"),
    "ref": ("refund", "payments"),
    "apr": ("approval", "payments"),
    "rec": ("reconciliation", "reconciliation"),
    "cas": ("case", "reconciliation"),
    "shp": ("shipment", "logistics"),
    "cmp": ("complaint", "complaints"),
    "bkg": ("booking", "bookings"),
    "vdl": ("virtual_delivery", "virtual"),
    "rtn": ("return", "returns"),
    "cnv": ("conversation", "conversations"),
    "fbk": ("feedback", "feedback"),
    "ers": ("erasure", "privacy"),
    "rvw": ("review", "risk"),
    "whd": ("delivery", "webhooks"),
    "msg": ("letter", "notifications"),
    "arc": ("archive", "privacy"),
}

DUE_TABLES: tuple[tuple[str, str, str | None], ...] = (
    # Tables with a due index: name, hash key, range key.
    ("orders", "purchase_id", "id"),
    ("payments", "purchase_id", "id"),
    ("reconciliations", "owner", "id"),
    ("shipments", "order_id", "id"),
    ("complaints", "complaint_id", None),
    ("bookings", "owner", "id"),
    ("virtual", "owner", "id"),
    ("returns", "return_id", None),
    ("conversations", "conversation_id", "id"),
    ("feedback", "feedback_id", None),
    ("privacy", "account_id", "id"),
    ("risk", "key_of", None),
    ("webhooks", "owner", "id"),
    ("messages", "message_id", None),
)

DUE_FAR = (
    "reconciliations",
    "shipments",
    "complaints",
    "returns",
    "bookings",
    "virtual",
    "privacy",
    "risk",
    "messages",
    "conversations",
    "feedback",
)
"""Those of them in which no deadline that must fire to the second is set less than ten minutes ahead."""

DUE_PREFIXES: dict[str, str] = {
    # Prefix of the record's id -> its table.
    "pur": "orders",
    "ord": "orders",
    "pay": "payments",
    "ref": "payments",
    "apr": "payments",
    "rec": "reconciliations",
    "cas": "reconciliations",
    "shp": "shipments",
    "cmp": "complaints",
    "bkg": "bookings",
    "vdl": "virtual",
    "rtn": "returns",
    "cnv": "conversations",
    "fbk": "feedback",
    "ers": "privacy",
    "rvw": "risk",
    "whd": "webhooks",
    "msg": "messages",
    "arc": "privacy",
}

CAPABILITIES = (
    "consents",
    "notifications",
    "auth",
    "merchants",
    "catalog",
    "inventory",
    "cart",
    "checkout",
    "orders",
    "payments",
    "ledger",
    "reconciliation",
    "logistics",
    "complaints",
    "bookings",
    "virtual",
    "returns",
    "conversations",
    "feedback",
    "requests",
    "risk",
    "webhooks",
    "oversight",
    "privacy",
    "explaining",
    "telling",
    "publishing",
    "site",
)
"""Every package of ``chalicelib`` that is a capability, in the order of their tags in the OpenAPI document."""


def queues_for(event_type: str) -> tuple[str, ...]:
    """Return the queues an event goes to.

    Raises:
        LookupError: for a type this page does not list: a fault of ours that must not be lost silently.
    """
    try:
        return EVENTS[event_type]
    except KeyError:
        raise LookupError(f"topology.EVENTS does not list {event_type}") from None


def due_table(record_id: str) -> tuple[str, str, str | None]:
    """Return table, hash key and range key of a record with a deadline.

    Raises:
        LookupError: if it is of none of them.
    """
    wanted = DUE_PREFIXES.get(record_id.split("_", maxsplit=1)[0])
    for found in DUE_TABLES:
        if found[0] == wanted:
            return found
    raise LookupError(f"no table with deadlines holds {record_id}")


def queue_reference(queue: str) -> str:
    """Return how a function names its queue in CloudFormation: ``${PaymentNoticesQueue.QueueName}``."""
    return f"${{{resource_name(queue)}Queue.QueueName}}"


def resource_name(name: str) -> str:
    """Return the CloudFormation form of a name: ``payment-notices`` -> ``PaymentNotices``."""
    return "".join(part.capitalize() for part in name.replace("_", "-").split("-"))
