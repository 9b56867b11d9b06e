"""Attempts to pay: started, asked about, closed, and what becomes of the money that comes."""
