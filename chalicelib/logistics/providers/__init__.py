"""Adapters to carrier hubs, one a file, loaded by name on first use."""
