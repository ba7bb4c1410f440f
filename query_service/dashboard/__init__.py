"""The pages that people open: today's numbers, the API's documentation, and the metrics' documentation."""
