"""One archive of everything that is held of a person: asked for, made in steps, shown for a while, deleted."""
