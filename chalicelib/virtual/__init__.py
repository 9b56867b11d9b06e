"""Virtual goods: pools of codes that merchants upload, and what a buyer gets of them, each code once.

Owns the table ``virtual``: pools, the codes in them (sealed), what was delivered of each order line, every look at it,
and which codes are known (keyed digests). Emits ``virtual.*`` and ``pool.*``. Consumes ``order.virtual_paid`` and
``order.virtual_paid_back`` of ``orders``, its own ``pool.filled``, and the deadlines of what is owed. Moves units of an
order and of the stock in the work that moves the codes. A code is in no answer but that to its buyer's look.
"""
