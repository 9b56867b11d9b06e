"""A merchant's staff and the platform's operators: who is what, who let them in, and what each may at this moment."""
