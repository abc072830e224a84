"""The worked example of the developer guide is a corruption that works as it stands."""

import re
from pathlib import Path

import numpy as np

from toys import blobs

PAGE = Path(__file__).parent.parent / "docs" / "developer" / "add_corruption.md"


def test_the_example_corruption_works():
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL).group(1)
    module = {"__name__": "haze"}
    exec(compile(code, str(PAGE), "exec"), module)
    images = blobs(300)
    weak, strong = (module["Haze"](density=density)(images, seed=0) for density in (0.1, 0.4))
    assert (strong.images >= weak.images).all()
    assert strong.images.dtype == np.float32
    assert strong.images.max() <= 1
    np.testing.assert_array_equal(weak.masks, (weak.images != images).any(axis=1))
    assert not module["Haze"](severity=0)(images, seed=0).masks.any()
    assert len({float(image.min()) for image in strong.images}) > 290  # each image in its own way
