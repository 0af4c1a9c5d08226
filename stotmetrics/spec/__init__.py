"""The contract: what a metric is, how it is found by name, and what it returns."""
