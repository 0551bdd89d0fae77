"""A job's process that behaves as a trainer does, without PyTorch: `python -m tests.jobs.worker`.

Writes an event a step, goes on from the last one, and on SIGTERM finishes the step and leaves with code 0.
--slow: seconds a step; --deaf: never listens; --fail: ends with an error at the end.
"""

import argparse
import json
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    """Take the steps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path)
    parser.add_argument("--product", type=Path)
    parser.add_argument("--output", default="")  # of a training that goes on: the product's name
    parser.add_argument("--title", default="")
    parser.add_argument("--hours", type=float)  # as a world has: then its product keeps its name
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--slow", type=float, default=0.0)
    parser.add_argument("--deaf", action="store_true")
    parser.add_argument("--fail", default="")
    chosen = parser.parse_args()
    asked = []
    signal.signal(signal.SIGTERM, lambda *_: None if chosen.deaf else asked.append(1))
    chosen.run.mkdir(parents=True, exist_ok=True)
    events = chosen.run / "events.jsonl"
    done = len(events.read_text().splitlines()) if events.exists() else 0
    print(f"from step {done}", flush=True)
    for step in range(done + 1, chosen.steps + 1):
        time.sleep(chosen.slow)
        left = (chosen.steps - step) * 0.5
        with events.open("a") as file:
            file.write(
                json.dumps({"step": step, "of": chosen.steps, "loss": 1 / step, "seconds_left": left}) + "\n"
            )
        if asked:
            print("stopped; the same command resumes", flush=True)
            return
    if chosen.fail:
        print(f"error: {chosen.fail}", file=sys.stderr)
        sys.exit(1)
    renamed = chosen.output and chosen.hours is None
    product = chosen.product.with_name(chosen.output) if renamed else chosen.product
    product.write_text("whole")


if __name__ == "__main__":
    main()
