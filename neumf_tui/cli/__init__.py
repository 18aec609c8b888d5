"""The command line."""

import os

# Before numpy is imported. All products here are small, or each thread makes its own; two threads
# that share one wait for each other, for a hundred times as long beside a training. EASE uses torch.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
