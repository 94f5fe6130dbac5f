"""The data doctor: what is in a file or store, what is wrong with it, and what to do."""
