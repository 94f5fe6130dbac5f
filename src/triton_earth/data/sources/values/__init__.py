"""What a value is: units, physical bounds, soundness, and variables derived or computed from others."""
