"""Personal data: what is held of a person, why and how long, and what that person may do about it.

Owns the table privacy (who wants to be forgotten, and how far it is). Emits and consumes ``erasure.advanced``, and
consumes the deadlines of erasures. The inventory names what the other rooms hold; the notice for people is written from
it. Asks ``auth``, ``orders``, ``payments``, ``complaints``, ``logistics`` and ``cart`` to forget, or what holds them.
"""
