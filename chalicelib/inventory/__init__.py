"""Inventory: owns stock and its movements. ``available`` is what can still be sold; orders hold and commit the rest.

Emits ``stock.depleted`` and ``stock.replenished``, worked out by the relay from the stock row's images.
Consumes nothing.
"""
