"""Property-based verification of metrics: strategies, checks, and the doors to run them."""
