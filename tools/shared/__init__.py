"""What several kinds of tools need. Never shipped."""
