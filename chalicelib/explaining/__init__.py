"""Explains one order, or one account, in one answer: everything that happened to it, by whom, and what proves it.

Owns no table. Emits and consumes nothing. Asks ``orders``, ``payments``, ``logistics`` and ``complaints`` what
happened, ``auth`` and ``privacy`` how an account stands, and ``oversight`` what was done for the platform; each look
is written down there with its reason.
"""
