"""Changing an e-mail address or a phone number for another one, and taking that back by the one of before."""
