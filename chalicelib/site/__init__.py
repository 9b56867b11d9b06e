"""Serves the description of the API: the OpenAPI document and a page that reads it. Owns nothing, emits nothing."""
