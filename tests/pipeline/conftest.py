"""A worker for the tests that break its models or publish some."""

import pytest

from rf_app.pipeline.worker import Worker


@pytest.fixture
def worker(tiny_registry):
    """On the CPU, with models of the test's own."""
    made = Worker(tiny_registry, device="cpu")
    yield made
    made.close()
