"""Sends what the OpenAPI document allows, and what it forbids, to a running dev server: ``make fuzz``."""
