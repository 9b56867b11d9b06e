"""Our thin platform over AWS: names, configuration, the client seam, rows and units of work, HTTP, queues, streams.

Emits ``deadline.parked``.
"""
