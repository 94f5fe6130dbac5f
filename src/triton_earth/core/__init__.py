"""The nouns: variables, grids, states, configurations. Imports nothing of the package."""
