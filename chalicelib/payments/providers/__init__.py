"""One adapter a file, named as the provider is in addresses: ``build(configuration=None) -> ports.Provider``."""
