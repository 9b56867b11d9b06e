"""Shipments of orders and where they are: merchants ship, a carrier hub pushes scans, buyers follow.

Owns the ``shipments`` table, in it whose parcel each tracking number is. Emits ``shipment.created``,
``shipment.progressed``, ``shipment.delivered``, ``shipment.turned_back``, ``shipment.returned``, ``shipment.lost``,
``shipment.corrected``, and of parcels of a return ``shipment.return_sent`` and ``shipment.return_moved``. Consumes
``shipment.created``, ``shipment.corrected`` and ``shipment.return_sent`` (to subscribe at the hub),
``tracking.pushed`` and the deadlines of its own records (to subscribe again, and to ask where pushes stopped).
"""
