"""What tries of every kind start from: a seed, how many, and numbers of any length."""

import random
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def long_numbers() -> Iterator[None]:
    """Let json write a number of 5,000 digits."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(limit)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.config.getoption("seed"))


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> range:
    return range(request.config.getoption("rounds"))
