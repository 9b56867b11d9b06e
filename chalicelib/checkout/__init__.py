"""Checkout: quotes, placing a purchase, and ending it again (expiry, cancellation) with its money and stock.

Owns no table: it composes catalog, inventory, cart, orders and payments into one unit of work at a time. Consumes what
is due of purchases and orders. Emits nothing of its own; the rows it changes carry ``purchase.*`` and ``order.*``.
"""
