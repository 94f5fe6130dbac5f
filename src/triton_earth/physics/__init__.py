"""The verbs without learning: spectra, flow quantities and reference solvers of turbulence on a periodic box."""
