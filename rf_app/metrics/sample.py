"""A small held-out sample to measure any pocket model on: prompts, what they state, and what drawings get.

Written beside the judge, whose features it speaks of, by `python -m trainers.pocket.sample`.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.numpy import load_file, save_file

from rf_app.metrics.frechet import Gaussian
from rf_app.metrics.judge import BUNDLED

TEXT, STATISTICS = "sample.json", "drawings.safetensors"


@dataclass(frozen=True)
class HeldOut:
    """A prompt that no training has seen, the seed of its noise, and the attributes it states."""

    prompt: str
    seed: int
    stated: dict[str, str]


@dataclass(frozen=True)
class Sample:
    """prompts, in a fixed order: a sample of N is the first N. size: pixels a side of the drawings, as the
    judge has learned them.

    drawings: the Gaussian of the judge's features of `drawings_count` held-out drawings, FID's reference.
    drawings_fid: the FID of N other drawings, by N: what perfect pictures get, because N is small.
    """

    prompts: tuple[HeldOut, ...]
    size: int
    drawings: Gaussian
    drawings_count: int
    drawings_fid: dict[int, float]

    def save(self, folder: Path) -> None:
        """Write both files into the judge's folder."""
        arrays = {"mean": self.drawings.mean, "covariance": self.drawings.covariance}
        save_file({name: array.astype("float32") for name, array in arrays.items()}, folder / STATISTICS)
        content = {
            "size": self.size,
            "drawings_count": self.drawings_count,
            "drawings_fid": self.drawings_fid,
            "prompts": [asdict(each) for each in self.prompts],
        }
        (folder / TEXT).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path = BUNDLED) -> "Sample":
        """The sample beside the judge in `folder`."""
        content = json.loads((folder / TEXT).read_text(encoding="utf-8"))
        arrays = load_file(folder / STATISTICS)
        return cls(
            prompts=tuple(HeldOut(**each) for each in content["prompts"]),
            size=content["size"],
            drawings=Gaussian(arrays["mean"].astype("float64"), arrays["covariance"].astype("float64")),
            drawings_count=content["drawings_count"],
            drawings_fid={int(count): fid for count, fid in content["drawings_fid"].items()},
        )
