"""The development server: engine, API, pumps, sandbox provider and carrier stand-in, started by one command."""
