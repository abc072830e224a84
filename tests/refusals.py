"""How every refusal reads: an InputError with one line that holds the words that matter."""

from contextlib import contextmanager

import pytest

from anomalist.core.errors import InputError


@contextmanager
def refused(*words):
    """Expect an InputError whose message is one line that holds each of ``words``."""
    with pytest.raises(InputError) as caught:
        yield
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    for word in words:
        assert word in message
