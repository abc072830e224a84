"""Memory that is kept for the next arrays, and given back at the end."""

import threading

import numpy as np
import pytest

from anomalist.core import memory
from anomalist.core.memory import reusing_memory

LARGE = (40, 1 << 20)  # 40 MB


def faults(work):
    """Page faults of the process during the work."""
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    work()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def fill():
    for _ in range(20):
        np.ones(1 << 20, np.float32)


@pytest.mark.skipif(memory._glibc() is None, reason="another C library")
def test_arrays_of_the_same_size_take_the_same_pages():
    with reusing_memory():
        fill()
        assert faults(fill) < 1_000  # of 20,480 pages


def test_contexts_may_be_nested_and_used_by_threads():
    def work():
        with reusing_memory():
            large = np.ones(LARGE, np.uint8)
            assert int(large.sum(dtype=np.int64)) == large.size

    with reusing_memory():
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        work()
    assert memory._users == 0


def test_an_error_ends_the_context():
    with pytest.raises(ValueError, match="inside"), reusing_memory():
        raise ValueError("inside")
    assert memory._users == 0


def test_another_c_library_changes_nothing(monkeypatch):
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    with reusing_memory():
        assert np.ones(10).sum() == 10
