"""A studio on the tiny models."""

import pytest

from rf_app.pipeline.worker import Worker
from rf_app.registry.models import Registry
from rf_app.workflows.generate import Studio


@pytest.fixture(scope="session")
def studio(tiny_models):
    """Read only: shared by the tests."""
    registry = Registry([tiny_models])
    worker = Worker(registry, "cpu")
    yield Studio(registry, worker)
    worker.close()
