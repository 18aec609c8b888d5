"""The kernels as they are released, with random inputs: results are right, or one error is raised.

`tests/native/test_sanitizers.py` does the same under ASan and UBSan.
"""

import pytest

from neumf_tui.native.library import why_not
from tests.support.fuzzing import FACTOR
from tests.support.kernel_driver import Driver


@pytest.mark.skipif(bool(why_not()), reason=f"no kernels here: {why_not()}")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_inputs() -> None:
    driver = Driver(seed=FACTOR)
    driver.run(100 * FACTOR)
    assert driver.refused < driver.calls / 2
