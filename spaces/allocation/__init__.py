"""How wide every layer becomes when a network is cut as a whole."""
