"""What adapters have in common. No adapter imports another."""
