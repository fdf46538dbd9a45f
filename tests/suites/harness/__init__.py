"""Fetching, running and comparing the public test suites of database clients."""
