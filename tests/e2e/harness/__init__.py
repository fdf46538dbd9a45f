"""Servers, topologies and the gateway process for the end-to-end tests."""
