"""From request to decision: champion in memory, forecasts, plans, what-if, rows that are logged."""
