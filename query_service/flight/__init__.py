"""Arrow Flight and Flight SQL: SQL on the `va_*` views, streamed as Arrow record batches."""
