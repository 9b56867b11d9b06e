"""What the adapters have in common. No adapter imports another."""
