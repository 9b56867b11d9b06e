"""A merchant's own system that webhooks are told to: strict, and steerable into every way of failing."""
