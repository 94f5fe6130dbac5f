"""What a recipe wants to be small: losses of fields, spectra and ensembles, over one step or several."""
