"""What breaks those who were built against the last release: callers of the API, messages on their way, stored rows."""
