"""The simulator: the real services and handlers, one seed, a fake clock, and storage that fails as AWS fails."""
