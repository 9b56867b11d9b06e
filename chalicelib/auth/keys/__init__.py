"""Keys of merchants' own systems: made, listed, rotated and revoked by owners, and what they open."""
