"""Requests: what a buyer wants made, what a merchant offers for it, and what both agree on, ordered as any goods are.

Owns the table `requests`. Emits `request.*`. Consumes nothing: how long an offer stands is judged by comparing times.
Asks `catalog` for the product that a request is about and to make one for its buyer, `inventory` for its units,
`checkout` what it costs, and `complaints` to keep files.
"""
