"""Figures that are drawn once, with less work than matplotlib does for those that change on a screen."""
