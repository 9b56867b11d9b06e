"""The sandbox provider's other end: a payment provider that can be told to be late, deaf, forgetful or wrong.

``core`` is the whole of it, standard library only; ``server`` serves it on 127.0.0.1, ``mount`` in process.
"""
