"""The Chalice application: registers every capability's routes and functions; nothing else."""

from importlib import import_module

from chalicelib import topology
from chalicelib.routes import ROUTES
from chalicelib.runtime.config import on_lambda
from chalicelib.runtime.http.app import App

app = App("biandan", authenticate="chalicelib.auth.service:authenticate")
app.install(ROUTES)

if not on_lambda():
    # In Lambda each queue function imports its own module by its handler string; only tools need to see them all.
    for module in ("chalicelib.runtime.functions", *topology.FUNCTION_MODULES):
        app.register_blueprint(import_module(module).functions)
