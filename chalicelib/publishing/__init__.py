"""Publishing: what buyers browse, as files that a CDN serves without a function.

Owns the table publishing (what has to be published again) and the bucket of published files. Emits ``shard.marked``.
Consumes it, and every fact about what is shown: ``product.*``, ``categories.changed`` and ``merchant.*``.
"""
