"""What reconciliation needs: providers' bills, and what should be on them."""
