"""Where stores are, how they are reached, and what of an address is secret."""
