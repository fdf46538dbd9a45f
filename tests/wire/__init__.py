"""A small MySQL client that shows every packet: for differential tests, and for input that no driver would send."""
