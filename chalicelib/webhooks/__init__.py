"""Webhooks out: facts that merchants' own systems are told, signed, until they say that they have them.

Owns the table webhooks: a merchant's endpoints with their secrets, and each delivery with its attempts. Emits
``webhook.asked`` (a delivery is to be tried) and ``webhook.ended`` (an endpoint is told nothing more). Consumes facts
of ``orders``, ``logistics``, ``payments``, ``complaints`` and ``inventory``, and the deadlines of deliveries. Asks
``orders`` and ``catalog`` whose fact it is.
"""
