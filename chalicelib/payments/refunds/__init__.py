"""Money that goes back: asked for, approved, sent, answered, and what is done where the provider cannot."""
