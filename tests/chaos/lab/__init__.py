"""Three servers, hadal and clients, each in a network of its own, and everything that can be done to them."""
