"""Our thin platform over AWS: names, configuration, the one client seam, rows and units of work, HTTP, queues, streams."""
