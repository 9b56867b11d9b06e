"""The development server: engine, API, pumps, sandbox provider and carrier stand-in in one process, started by one command."""
