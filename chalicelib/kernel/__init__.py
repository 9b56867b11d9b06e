"""Pure building blocks every layer may import: money, state machines, errors, events, ids, clock, context. No I/O."""
