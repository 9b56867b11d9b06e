"""Personal data: what is held of a person, why and how long, and what that person may do about it.

Owns no table. Emits and consumes nothing. The inventory names what the other rooms hold; the notice for people is
written from it.
"""
