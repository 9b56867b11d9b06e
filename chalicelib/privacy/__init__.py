"""Personal data: what is held of a person, why and how long, and what that person may do about it.

Owns the table privacy (who wants to be forgotten or to have a copy, and how far it is). Emits and consumes
``erasure.advanced`` and ``archive.advanced``, and consumes the deadlines of both. The inventory names what the other
rooms hold; the notice for people is written from it. Asks ``auth``, ``orders``, ``payments``, ``complaints``,
``logistics``, ``merchants``, ``cart`` and ``risk`` to forget, what holds them, or what they keep, and ``oversight`` who
looked.
"""
