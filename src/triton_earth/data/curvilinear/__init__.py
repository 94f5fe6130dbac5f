"""Curvilinear grids: cells with two-dimensional coordinates, and the weights that put them onto other grids."""
