"""Neural matrix factorisation, watched and explored in the terminal."""

__version__ = "0.1.0"
