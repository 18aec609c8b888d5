"""Data that benchmarks and tests make: invented catalogues, and sets of the sizes of MovieLens."""
