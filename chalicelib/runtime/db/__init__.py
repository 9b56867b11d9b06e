"""DynamoDB: rows (PynamoDB models on one shared client), reads, and the unit of work."""
