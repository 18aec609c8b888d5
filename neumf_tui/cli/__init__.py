"""The command line."""

import os

# Before numpy is imported. Products are small, or each thread makes its own, and EASE uses torch.
# Two threads that share a product wait for each other: beside a training a hundred times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
