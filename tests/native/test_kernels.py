"""The kernels in C against torch and numpy, and machines on which there are none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import NeumfTuiError
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.native import kernels
from neumf_tui.native.kernels import LANES
from neumf_tui.native.library import load, why_not
from neumf_tui.scorers.open import all_histories
from neumf_tui.scorers.place_weights import PlaceWeights
from neumf_tui.scorers.scorer import Histories
from neumf_tui.scorers.table import TableScorer
from neumf_tui.training.model_ranks import ModelRanks, scorer_of
from neumf_tui.training.negative_sampler import NegativeSampler
from neumf_tui.training.step import AutogradStep, KernelStep
from neumf_tui.training.trainer import Trainer
from neumf_tui.training.weights import Weights
from tests.support.datasets import random_dataset, tiny_dataset
from tests.support.trainers import (
    EVERYTHING,
    awake,
    embeddings_of,
    make_trainer,
    train,
    weights_of,
)

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(bool(why_not()), reason=f"no kernels here: {why_not()}"),
]
CPU = torch.device("cpu")
SHARED = {"shared_negatives": True, "negatives": 5}
SETTINGS: list[dict[str, Any]] = [
    {},
    {"loss": "bce", "negatives": 4},
    {"loss": "softmax", "negatives": 3, "sampler": "popularity"},
    {"negatives": 3, "mlp_layers": [5]},
    {"mlp_layers": [7, 3, 2]},
    {"mlp_layers": [6, 5, 9, 4]},
    {"embedding_size": 1, "mlp_layers": [1]},
    {"pretrain": 1, "epochs": 2},
    {"history": 3},
    {"history": 30, "dropout": 0.3},
    {"dropout": 0.3, "exclude_heldout": True},
    {**SHARED},
    {**SHARED, "loss": "bce", "mlp_layers": [5]},
    {
        **SHARED,
        "loss": "softmax",
        "sampler": "popularity",
        "history": 4,
        "dropout": 0.4,
        "mlp_layers": [6],
    },
    {**SHARED, "loss": "softmax", "history": 4, "pretrain": 1, "epochs": 2, "validation": True},
    {
        "clip": 0.5,
        "schedule": "cosine",
        "recency": 3.0,
        "embedding_weight_decay": 0.01,
        "weight_decay": 0.1,
    },
]


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset()


def by_torch(monkeypatch: pytest.MonkeyPatch, data: Dataset, **changes: Any) -> Trainer:
    """Return a trainer without kernels, which uses autograd."""
    with monkeypatch.context() as without:
        without.setenv("NEUMF_TUI_CC", "none")
        trainer = make_trainer(data, **changes)
    assert trainer.take_step.library == "torch's"
    return awake(trainer)


@pytest.mark.parametrize("size", [20, 70, 1000])
@pytest.mark.parametrize("changes", SETTINGS)
def test_kernels_and_autograd_take_the_same_step(
    data: Dataset, changes: dict[str, Any], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compare loss and every gradient, from the same weights before each step.

    Batches are smaller, larger and much larger than a block of the kernels.
    """
    ours = awake(make_trainer(data, batch_size=size, **changes))
    theirs = by_torch(monkeypatch, data, batch_size=size, **changes)
    assert ours.take_step.library == "C"
    for batch in ours.batches(1):
        for name, tensor in ours.weights.tensors().items():
            theirs.weights.tensors()[name].copy_(tensor)
        torch.testing.assert_close(
            ours.step(batch).float(), theirs.step(batch), rtol=1e-5, atol=1e-5
        )
        for name, parameter in theirs.model.named_parameters():
            found = ours.model.get_parameter(name).grad
            torch.testing.assert_close(
                found, parameter.grad, rtol=1e-4, atol=2e-5, msg=lambda text, n=name: f"{n}: {text}"
            )
            assert parameter.grad is not None and parameter.grad.any(), name


def test_other_settings_use_autograd(data: Dataset) -> None:
    narrow = {"mlp_dropout": 0.1}, {"hard_negatives": 2}, {"model": "gmf"}, {"model": "mlp"}
    wide = {"embedding_size": 129}, {"mlp_layers": [8, 129]}
    for changes in (*narrow, *wide, EVERYTHING):
        assert isinstance(make_trainer(data, **changes).take_step, AutogradStep)


@pytest.mark.parametrize("changes", SETTINGS)
def test_several_threads_give_the_gradient_of_one(data: Dataset, changes: dict[str, Any]) -> None:
    one = awake(make_trainer(data, batch_size=70, **changes))
    several = awake(make_trainer(data, batch_size=70, **changes))
    parts = several.objective, several.weights, several.group
    step = several.take_step = KernelStep(*parts, threads=3, fewest_scores=20)
    for batch in one.batches(1):
        for name, tensor in one.weights.tensors().items():
            several.weights.tensors()[name].copy_(tensor)
        torch.testing.assert_close(several.step(batch), one.step(batch), rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(
            several.weights.gradient, one.weights.gradient, rtol=1e-4, atol=1e-5
        )
    assert len(step.other_gradients) == 2
    assert not any(other.any() for other in step.other_gradients)


def test_training_twice_gives_the_same_bits(data: Dataset) -> None:
    changes = SETTINGS[-3]
    one, other = (weights_of(train(awake(make_trainer(data, **changes)), 1, 3)) for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "name", ["user_gmf.weight", "item_mlp.weight", "mlp.0.bias", "mlp.1.weight", "head.weight"]
)
def test_nan_in_a_weight_reaches_the_loss(data: Dataset, name: str) -> None:
    trainer = make_trainer(data, batch_size=200)
    with torch.no_grad():
        trainer.model.get_parameter(name)[0] = torch.nan
    assert torch.isnan(trainer.step(next(iter(trainer.batches(1)))))


def test_huge_margins_have_a_finite_loss(data: Dataset) -> None:
    for loss in ("bpr", "bce", "softmax"):
        trainer = make_trainer(data, loss=loss)
        with torch.no_grad():
            for table in embeddings_of(trainer.model):
                table.weight.mul_(1e5)
        assert torch.isfinite(trainer.step(next(iter(trainer.batches(1)))))


# Draws


@pytest.mark.parametrize("negatives", [1, 3])
def test_kernel_and_torch_draw_the_same_items(
    negatives: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Test users with a small, no, an almost complete, half and a large history."""
    have = [
        [0, 1, 2, 39],
        [],
        [item for item in range(40) if item != 17],
        list(range(0, 40, 2)),
        list(range(30)),
    ]
    users = torch.tensor([user for user, items in enumerate(have) for _ in items])
    items = torch.tensor([item for some in have for item in some])
    generator = torch.Generator().manual_seed(1)
    asked = torch.randint(0, 5, (2000,), generator=generator).expand(negatives, 2000)
    uniform = torch.rand(negatives, 2000, generator=generator, dtype=torch.float64)
    uniform[0, :10], uniform[0, 10:20] = 0, 1 - 2**-53
    ours = NegativeSampler(users, items, 5, 40, pool_cells=0)
    monkeypatch.setenv("NEUMF_TUI_CC", "none")
    theirs = NegativeSampler(users, items, 5, 40, pool_cells=0)
    assert ours._kernel and not theirs._kernel
    monkeypatch.undo()
    for run in (0, 1, 300, 2000):  # users in any order, in runs of any length; and ascending ones
        for users in (asked, asked.sort(1).values):
            assert torch.equal(ours.draw(users, uniform, run), theirs.draw(users, uniform))


# Scores and ranks


def test_wide_models_are_scored_by_numpy(data: Dataset) -> None:
    for width, compiled in ((128, True), (129, False)):
        for changes in ({"embedding_size": width}, {"mlp_layers": [4, width]}):
            scorer = scorer_of(make_trainer(data, **changes).model, all_histories(data))
            assert (scorer._kernels is not None) == compiled


@pytest.mark.parametrize("items", [3, LANES - 1, LANES, LANES + 1, 400])
@pytest.mark.parametrize("layers", [[1], [6], [6, 3], [5, 9, 3, 2]])
def test_kernel_and_numpy_give_the_same_scores(
    items: int, layers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tiny_dataset([[user % items, (user + 1) % items] for user in range(9)], items)
    trainer = awake(make_trainer(data, mlp_layers=layers))
    ours = scorer_of(trainer.model, all_histories(data))
    monkeypatch.setenv("NEUMF_TUI_CC", "none")
    theirs = scorer_of(trainer.model, all_histories(data))
    assert ours._kernels is not None and theirs._kernels is None
    everybody = ours._vectors(range(9))
    for one, other in zip(ours._parts(*everybody), theirs._parts(*everybody), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_kernel_and_numpy_give_the_same_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_dataset(61, 400, 40)
    for changes in ({}, {"history": 5}, {"validation": True}):
        trainer = train(awake(make_trainer(data, **changes)), 1, 2)
        for validation in {False, bool(changes.get("validation"))}:
            ours = ModelRanks(data, CPU, validation=validation).by_model(trainer.model)
            with monkeypatch.context() as without:
                without.setenv("NEUMF_TUI_CC", "none")
                theirs = ModelRanks(data, CPU, validation=validation).by_model(trainer.model)
            # Two scores that differ by less than rounding may exchange their ranks.
            assert np.abs(ours - theirs).max() <= 1 and (ours == theirs).mean() > 0.95


@pytest.mark.parametrize("compiler", [None, "none"])
def test_equal_scores_count_half_and_histories_not_at_all(
    data: Dataset, compiler: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiler:
        monkeypatch.setenv("NEUMF_TUI_CC", compiler)
    evaluator, random = Evaluator(data), np.random.default_rng(3)
    scores = random.integers(0, 4, (data.num_users, data.num_items)).astype(np.float32)
    scores[3, 5], scores[4, 6] = np.inf, -np.inf
    found = evaluator.ranks(TableScorer(scores))
    for user, row in enumerate(scores):
        target = row[data.split.heldout[user]]
        others = np.delete(row, [*data.history(user), data.split.heldout[user]])
        assert found[user] == 1 + (others > target).sum() + (others == target).sum() / 2
    scores[7, 2] = np.nan
    with pytest.raises(NeumfTuiError, match="not a number"):
        evaluator.ranks(TableScorer(scores))


# Histories


def many_histories(items: int) -> Histories:
    """Return empty, short and long histories, with items of other users between them."""
    random = np.random.default_rng(2)
    sizes = np.array([0, 1, 2, 5, 6, 7, 40, 0, 300, 3], np.int64)
    starts = np.cumsum(sizes + 4) - sizes
    return Histories(random.integers(0, items, int(starts[-1]) + 3), starts, sizes)


@pytest.mark.parametrize("width", [1, 7, 64])
@pytest.mark.parametrize("length", [1, 6, 500])
def test_kernel_and_numpy_sum_histories_alike(
    width: int, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    histories, places = many_histories(50), PlaceWeights(length, 5.0, 0.05)
    vectors = np.random.default_rng(0).standard_normal((50, width)).astype(np.float32)
    ours = places.sums(vectors, histories)
    monkeypatch.setenv("NEUMF_TUI_CC", "none")
    theirs = places.sums(vectors, histories)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert not ours[[0, 7]].any() and ours[1:7].any(1).all()


@pytest.mark.parametrize(
    ("items", "start", "size"),
    [([0, 1, 5], 0, 3), ([0, -1, 2], 0, 3), ([0, 1, 2], -1, 2), ([0, 1, 2], 0, -1),
     ([0, 1, 2], 1, 3), ([0, 1, 2], 4, 0), ([0, 1, 2], 2**62, 2**62), ([], 0, 1)],
)  # fmt: skip
def test_histories_outside_their_arrays_are_refused(
    items: list[int], start: int, size: int
) -> None:
    vectors, weights = np.ones((5, 2), np.float32), np.ones(9, np.float32)
    given = [np.array(numbers, np.int64) for numbers in (items, [start], [size])]
    with pytest.raises(IndexError, match="not within"):
        kernels.history_sums(vectors, *given, weights, np.ones(1, np.float32))


# Compiling


def test_without_a_compiler_torch_trains_and_a_note_says_so(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wanted, why in (
        ("none", "switches the C kernels off"),
        ("/no/such/cc -O1", "/no/such/cc -O1: not found"),
    ):
        monkeypatch.setenv("NEUMF_TUI_CC", wanted)
        trainer = make_trainer(data)
        assert isinstance(trainer.take_step, AutogradStep)
        assert len(trainer.notes) == 1 and why in trainer.notes[0] and "PyTorch" in trainer.notes[0]
    assert not make_trainer(data, mlp_dropout=0.5).notes, "the kernels would not be used"


@pytest.mark.parametrize("decay", [0.0, 0.01, 0.3])
def test_adam_equals_torch_with_any_number_of_threads(
    data: Dataset, decay: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Take three steps from random weights, with a falling rate and some gradients 0.

    Tables and layers have different decays.
    """
    several, one = (
        Weights(
            make_trainer(data).model, 0.0, decay, threads=threads, shared_values=1, cache_values=7
        )
        for threads in (3, 1)
    )
    monkeypatch.setenv("NEUMF_TUI_CC", "none")
    theirs = make_trainer(data, embedding_weight_decay=decay).weights
    for step in range(3):
        gradient = torch.randn(theirs.gradient.shape, generator=torch.Generator().manual_seed(step))
        for weights in (theirs, one, several):
            weights.gradient.copy_(gradient * (gradient > -1))
            weights.set_rate(0.1 / (step + 1))
            weights.update()
    for name in ("values", "mean", "square", "steps"):
        assert torch.equal(getattr(one, name), getattr(several, name))
        torch.testing.assert_close(getattr(one, name), getattr(theirs, name), rtol=1e-5, atol=1e-6)


def test_arithmetic_of_the_process_stays_as_it_is() -> None:
    load()
    assert np.float32(1e-40) * np.float32(1) != 0, "subnormal numbers are not flushed to zero"


@pytest.mark.slow
def test_processors_without_wide_vectors(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The narrow variant of the kernels computes the same function."""
    monkeypatch.setenv("NEUMF_TUI_CACHE", str(tmp_path / "cache"))
    wide = awake(make_trainer(data, **SETTINGS[-3]))
    monkeypatch.setenv("NEUMF_TUI_CC", "cc -U__AVX__")
    narrow = awake(make_trainer(data, **SETTINGS[-3]))
    batch = next(iter(wide.batches(1)))
    torch.testing.assert_close(narrow.step(batch), wide.step(batch), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(narrow.weights.gradient, wide.weights.gradient, rtol=1e-4, atol=1e-5)
