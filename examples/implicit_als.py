"""ALS of the package `implicit`, one iteration at a time, watched with neumf-tui.

pip install implicit
python examples/implicit_als.py [DATASET] [RUN] [ITERATIONS]
"""

import sys

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

import neumf_tui


def train(dataset: str, name: str | None, iterations: int) -> None:
    """Fit all training pairs, and evaluate and keep the vectors after each iteration."""
    data = neumf_tui.load_dataset(dataset)
    users, items = data.arrays.users, data.arrays.items
    seen = csr_matrix(
        (np.ones(len(users), np.float32), (users, items)), (data.num_users, data.num_items)
    )
    model = AlternatingLeastSquares(64, regularization=0.1, alpha=5.0, iterations=1, random_state=0)
    settings = {"factors": 64, "regularization": 0.1, "alpha": 5.0}
    with neumf_tui.start_run(name, dataset=data, settings=settings, epochs=iterations) as run:
        for iteration in range(1, iterations + 1):
            model.fit(seen, show_progress=False)  # goes on from the vectors that it has
            vectors = model.user_factors, model.item_factors
            run.evaluate(iteration, vectors=vectors)
            run.keep(vectors=vectors)
            run.wait_while_paused()
            if run.should_stop:
                break


if __name__ == "__main__":
    given = dict(enumerate(sys.argv[1:]))
    train(given.get(0, "auto"), given.get(1), int(given.get(2, 15)))
