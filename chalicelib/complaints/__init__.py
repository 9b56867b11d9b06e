"""Complaints about order lines: filed with evidence, answered by the merchant, decided by an operator, never forgotten.

Owns the ``complaints`` table and the evidence in the uploads bucket. Emits ``complaint.*``. Consumes
``refund.succeeded``, ``refund.failed`` and ``refund.bounced`` of the refunds it asked for,
``order.replacement_cancelled`` of the orders it had placed, and the deadlines of its own records.
"""
