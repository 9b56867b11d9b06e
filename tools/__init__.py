"""Tools of a developer's machine: never shipped to Lambda."""
