"""Reference solvers that make truth: turbulence, Kolmogorov flow, the double gyre."""
