"""How many requests that change something an account, or a network of strangers, may make."""
