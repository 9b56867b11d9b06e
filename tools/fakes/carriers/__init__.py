"""A stand-in for the carrier hub Kuaidi100: takes subscriptions and questions, and pushes what it is told to happen."""
