"""`python -m triton_earth` is the command line."""

from triton_earth.cli import main

if __name__ == "__main__":
    main()
