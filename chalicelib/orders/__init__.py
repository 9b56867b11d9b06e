"""Purchases and orders: one checkout paid once, one merchant's share each; states, history, lists.

Owns the ``orders`` table. Emits ``purchase.*``, ``order.*``. Consumes ``shipment.delivered``,
``shipment.turned_back``, ``shipment.lost``, ``refund.succeeded`` and ``refund.bounced``. Knows which units a refund
pays back, but nothing of payments or stock: ``checkout`` and ``payments`` bring those into the same unit of work.
"""
