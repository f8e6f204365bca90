"""Facts and the stores that keep them. The lowest room: imports no other."""
