"""Abuse and risk: what was done how often, what looks like fraud, and how many requests somebody may make.

Owns the table risk: facts counted under keyed digests, the rules in force, what they found, reviews of it, and the
counters of request limits. Emits nothing. Consumes the deadlines of reviews, and facts of ``auth``, ``orders``,
``payments``, ``complaints`` and ``merchants``. Asks ``orders``, ``auth``, ``merchants`` and ``complaints`` whom they
are about. No rule refuses anybody: what it finds is for people.
"""
