"""Returns and exchanges by unit: asked for, agreed to, sent back, inspected, and paid back or replaced.

Owns the ``returns`` table. Emits ``return.*``. Consumes ``shipment.return_moved`` of the parcels it follows,
``refund.succeeded`` and ``refund.bounced`` of the refunds it asked for, and the deadlines of its own records.
"""
