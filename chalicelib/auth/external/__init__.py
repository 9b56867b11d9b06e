"""Signing in with an account elsewhere: QQ on the web, QQ's and WeChat's mini programs, behind one port.

Who somebody is there proves a person, not a name and not an age: nothing but the nickname is kept of it, and only where
the account has none.
"""
