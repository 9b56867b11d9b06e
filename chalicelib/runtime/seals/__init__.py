"""Values of rows that only we can read: envelope encryption, with data keys that a key of KMS wraps."""
