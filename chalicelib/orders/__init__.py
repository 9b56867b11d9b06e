"""Purchases and orders: one checkout paid once, one merchant's share each; states, history, lists.

Owns the ``orders`` table. Emits ``purchase.*``, ``order.*``. Consumes ``shipment.delivered``, ``refund.succeeded`` and
``refund.bounced``. Knows nothing of payments or stock: ``checkout`` and ``payments`` bring those into the same unit of
work.
"""
