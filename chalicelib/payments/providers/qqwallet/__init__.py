"""QQ Wallet."""
