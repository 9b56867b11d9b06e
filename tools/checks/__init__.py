"""What is looked at before a change lands: versions, what breaks callers, commit messages, mutants of the rules."""
