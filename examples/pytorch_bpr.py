"""Matrix factorisation by BPR in plain PyTorch, watched with neumf-tui.

    python examples/pytorch_bpr.py [DATASET] [RUN] [EPOCHS]

`neumf-tui attach RUN` shows it meanwhile: p pauses the loop, s stops it. `neumf-tui explore RUN`
shows what it recommends to each user.
"""

import sys

import torch

import neumf_tui

BATCH = 1024


def train(dataset: str, name: str | None, epochs: int) -> None:
    """Train on all pairs but the validation items, which choose the best epoch."""
    data = neumf_tui.load_dataset(dataset)
    learned = data.arrays.learned
    users, items = (torch.tensor(a[learned]) for a in (data.arrays.users, data.arrays.items))
    torch.manual_seed(0)
    user_vectors = torch.nn.Embedding(data.num_users, 32)
    item_vectors = torch.nn.Embedding(data.num_items, 32)
    tables = torch.nn.ModuleList([user_vectors, item_vectors])
    for table in (user_vectors, item_vectors):
        torch.nn.init.normal_(table.weight, std=0.01)
    optimizer = torch.optim.Adam(tables.parameters(), lr=5e-3, weight_decay=1e-6)
    settings = {"model": "MF", "loss": "BPR", "size": 32, "lr": 5e-3, "batch": BATCH}
    with neumf_tui.start_run(
        name, dataset=data, settings=settings, epochs=epochs, validation=True
    ) as run:
        for epoch in range(1, epochs + 1):
            for batch in torch.randperm(len(users)).split(BATCH):
                person, liked = user_vectors(users[batch]), item_vectors(items[batch])
                other = item_vectors(torch.randint(data.num_items, (len(batch),)))
                margin = (person * (liked - other)).sum(1)
                loss = -torch.nn.functional.logsigmoid(margin).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                run.log(loss=loss, margin=margin.mean())
                run.wait_while_paused()
                if run.should_stop:
                    return
            vectors = user_vectors.weight, item_vectors.weight
            metrics = run.evaluate(epoch, vectors=vectors)
            run.keep(vectors=vectors)
            print(f"epoch {epoch}: Hit@50 {metrics['hit@50']:.4f}")


if __name__ == "__main__":
    given = dict(enumerate(sys.argv[1:]))
    train(given.get(0, "auto"), given.get(1), int(given.get(2, 20)))
