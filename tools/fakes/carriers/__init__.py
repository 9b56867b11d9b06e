"""Stand-ins for the carrier hubs: they take subscriptions and questions, and push what they are told to happen."""
