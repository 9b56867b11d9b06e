"""Shipments of orders and where they are: merchants ship, a carrier hub pushes scans, buyers follow.

Owns the ``shipments`` table. Emits ``shipment.created``, ``shipment.progressed``, ``shipment.delivered``. Consumes
``shipment.created`` (to subscribe at the hub), ``tracking.pushed`` and the deadlines of its own records (to subscribe
again, and to ask where pushes stopped).
"""
