"""Helpers that tests share: people, goods, a shop, a till, the pump that moves events."""
