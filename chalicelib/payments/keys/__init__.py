"""The keys that providers sign with, fetched by the clock."""
