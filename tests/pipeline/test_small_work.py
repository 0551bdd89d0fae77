"""The thread for small work: one core for itself, and as many as before for all others."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from rf_app.pipeline.small_work import small_work


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_it_takes_one_core_and_leaves_all_others_theirs():
    with ThreadPoolExecutor(1) as earlier, ThreadPoolExecutor(1) as later:
        assert earlier.submit(torch.get_num_threads).result() == 2
        turns = small_work()
        for _ in range(2):  # the second time after a calculation, at which PyTorch sets a thread up
            assert turns.wait_for(torch.get_num_threads) == 1
            turns.wait_for(lambda: torch.randn(300, 300) @ torch.randn(300, 300))
        assert torch.get_num_threads() == 2
        assert [each.submit(torch.get_num_threads).result() for each in (earlier, later)] == [2, 2]
        turns.close()
