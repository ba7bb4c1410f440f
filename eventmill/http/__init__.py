"""What both HTTP services share: the log line of a request, Problem Details, and serving until a signal."""
