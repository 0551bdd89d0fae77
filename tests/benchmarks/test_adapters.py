"""The benchmark of LoRAs measures what it says, on the tiny models."""

from benchmarks.adapters import Options, measure, measure_peft
from rf_app.pipeline.worker import Worker
from rf_app.registry.models import Registry


def test_every_case_has_a_time_for_every_round(tiny_models):
    worker = Worker(Registry([tiny_models]), "cpu")
    options = Options(model="tiny-instaflow", rank=2, rounds=2)
    seconds = measure(worker, options)
    assert {"without", "first use", "second use", "another strength"} <= set(seconds)
    assert all(len(each) == 2 and min(each) > 0 for each in seconds.values())
    plain, beside = measure_peft(worker, options)
    assert len(plain) == len(beside) == 2
    assert min(plain + beside) > 0
    assert worker.uploads.of("benchmark") == []
    worker.close()
