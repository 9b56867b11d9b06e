"""The stack that surrounds the functions. ``python -m infra.stack`` writes everything that is generated from here."""
