"""HTTP: route declarations, the Chalice application that serves them, problems, callers."""
