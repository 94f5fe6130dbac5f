"""Reusable network layers: tensors in, tensors out, no notion of weather, units or grids."""
