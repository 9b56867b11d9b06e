"""Children: what an account of somebody under 14 may do, and their guardian's consent (CN-PIP-31, CN-MIN-*)."""
