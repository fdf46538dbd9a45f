"""What must be true after any fault."""
