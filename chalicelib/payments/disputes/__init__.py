"""Payments that the payer's bank contests."""
