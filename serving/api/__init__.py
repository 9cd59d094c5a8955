"""The contract of the endpoint, its errors and its metrics: every other room may use them."""
