"""What payments are, and the rules they follow: types, state tables, texts. Pure: no clock, no storage, no provider."""
