"""Everything that is worked out from the code, written by ``python -m tools.generate`` or compared by ``--check``."""
