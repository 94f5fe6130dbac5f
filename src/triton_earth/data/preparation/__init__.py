"""Preparing a training store: from simulations, archives and gridded files, piece by piece, and its splits."""
