"""McNemar's test against scipy, and against cases worked by hand."""

import pytest
import scipy.stats

from neumf_tui.evaluation.significance import mcnemar


def test_mcnemar_by_hand() -> None:
    assert mcnemar(0, 0) == mcnemar(7, 7) == 1.0
    assert mcnemar(1, 0) == 1.0
    assert mcnemar(5, 0) == pytest.approx(2 / 32)
    assert mcnemar(1, 4) == pytest.approx(2 * (1 + 5) / 32)
    assert mcnemar(0, 2000) == 0.0 and mcnemar(0, 1000) == pytest.approx(2 * 0.5**1000)
    with pytest.raises(ValueError, match="at least 0"):
        mcnemar(-1, 3)


@pytest.mark.parametrize(
    ("won", "lost"),
    [
        (3, 2),
        (2, 3),
        (10, 25),
        (121, 90),
        (1000, 1001),
        (5000, 5300),
        (100_000, 101_000),
        (330_000, 0),
        (165_000, 165_001),
        (1, 900),
    ],
)
def test_mcnemar_is_scipys_binomial_test(won: int, lost: int) -> None:
    expected = scipy.stats.binomtest(won, won + lost, 0.5).pvalue
    assert mcnemar(won, lost) == pytest.approx(expected, rel=1e-6)
