"""The latency benchmark measures what it says, on the tiny models."""

from benchmarks.latency import Options, measure_browser, measure_server, row


def test_server_times_cover_their_parts(app):
    options = Options(runs=9, quick="tiny-instaflow", slow="tiny-sd", slow_steps=3)
    times = measure_server(app, options)
    assert len(times.quick) == 9
    assert len(times.slow) == 3
    for whole, *parts in zip(times.quick, times.text, times.unet, times.decode, strict=True):
        assert whole > sum(parts) > 0


def test_browser_times_are_positive_and_leave_out_the_warm_up(app, browser):
    times = measure_browser(app, browser, 4)
    assert len(times.enter) == len(times.letter) == 4
    assert len(times.opening) == 1
    assert min(times.opening + times.enter + times.letter) > 0


def test_a_row_gives_milliseconds():
    assert row("x", [0.010, 0.020, 0.060]).split()[1] == "20.0"
    assert row("x", [0.5]).split()[1:] == ["500.0", "500.0", "500.0", "1"]
