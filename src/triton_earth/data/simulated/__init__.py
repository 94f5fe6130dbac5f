"""Data that is simulated on the spot: turbulence, the double gyre, SPEEDY, veros."""
