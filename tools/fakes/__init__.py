"""What stands in for others here: AWS (the embedded engine), payment providers, a carrier hub. Never shipped."""
