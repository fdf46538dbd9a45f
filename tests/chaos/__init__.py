"""The proof of high availability: faults on real servers under load, and what must be true afterwards."""
