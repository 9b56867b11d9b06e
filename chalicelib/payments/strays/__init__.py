"""Money and words of a provider that fit nothing of ours."""
