"""Wilson's interval of a share, by its own formula."""

import numpy as np
import pytest

from anomalist.core.errors import InputError
from anomalist.metrics import proportion_interval


@pytest.mark.parametrize(
    ("count", "n"), [(0, 10), (1, 10), (5, 10), (10, 10), (1, 1), (300, 1_000)]
)
def test_it_is_wilson_s_formula(count, n):
    z = 1.959963984540054
    share = count / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    found = proportion_interval(np.arange(n) < count)
    assert found.value == share
    assert found.n == n
    assert found.low == pytest.approx(centre - half, abs=1e-12)
    assert found.high == pytest.approx(centre + half, abs=1e-12)


def test_no_image_has_no_share():
    with pytest.raises(InputError, match="at least one value"):
        proportion_interval(np.empty(0, bool))
