"""What providers tell us: received and made durable first, applied from a queue afterwards."""
