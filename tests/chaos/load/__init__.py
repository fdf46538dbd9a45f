"""Clients: a program of its own that writes, reads and keeps sessions, and remembers what became of every write."""
