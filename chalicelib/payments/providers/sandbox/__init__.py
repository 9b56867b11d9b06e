"""The sandbox: no real money moves."""
