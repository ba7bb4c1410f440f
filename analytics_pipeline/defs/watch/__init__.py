"""Watching the numbers: anomalies, threshold alerts, checks of plausibility, and the news of all of them."""
