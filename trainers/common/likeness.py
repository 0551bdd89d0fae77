"""How like real pictures drawn ones are, for pictures that no judge was trained on.

Every figure has to say "bad" of what is bad: noise, grey, one picture repeated, and real pictures of which
only blobs are left (`mush`), which stand beside the models in every table. A network that learned these few
pictures itself tells words from one another, but hardly noise, blur or patches in disorder; so likeness is
measured by the pocket world's judge, which no loss sees either.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from rf_app.metrics import frechet
from rf_app.metrics.judge import Judge
from rf_app.metrics.sharpness import laplacian_energy
from trainers.common.contrastive import Contrastive, words_found

BATCH = 32
RIVALS = 9  # other captions
FLOOR = 0.1  # of a feature's deviation, of the mean one
BLOBS = 8  # pixels a side that are left of a picture
MUSH, FAR = 8.0, 2.5  # of a model's `far`: blobs had 12 to 15, a reconstruction of 21 dB 2.7
SHARP, KNOWN, HEARD = (0.8, 1.25), 0.5, 0.3  # where the other figures are a fault
MOST_PART = 256  # real pictures that others are compared with as drawn ones are
FEW = 30  # held-out pictures, by fewer of which nothing is measured well
REAL = "real, held out"

Figures = dict[str, float]


class Measures:
    """What pictures are compared with."""

    def __init__(
        self,
        network: Contrastive,
        judge: Judge,
        learned: tuple[Tensor, Sequence[str]],
        held_out: tuple[Tensor, Sequence[str]],
    ) -> None:
        """learned, held_out: pictures [N, 3, H, W] in -1..1 and their captions."""
        self.network, self.judge = network, judge
        self.sharp = laplacian_energy(held_out[0]).mean()
        bare = self._features(learned[0])
        deviation = bare.std(0)
        # What hardly varies is not counted in its own deviations: any other value would be all that counts.
        self.mean, self.deviation = bare.mean(0), deviation.clamp(min=FLOOR * deviation.mean().item())
        self.learned, self.bags = self._standard(bare), network.bags(held_out[1])
        self.rivals = self.bags[self.bags.sum(1) > 0].unique(dim=0)
        self.real = self._standard(self._features(held_out[0]))
        # The judge has learned none of them, so that as many as are drawn can be compared with the others.
        known = torch.cat([self.real, self.learned])
        part = min(MOST_PART, len(known) // 2)
        self.part, self.gaussian = known[:part], frechet.fit(known[part:].numpy())

    def of(self, pictures: Tensor, numbers: Sequence[int]) -> Figures:
        """The figures of pictures [N, 3, H, W] in -1..1 that show the captions by number."""
        seen = self._standard(self._features(pictures))
        count = min(len(seen), len(self.part))  # a Frechet distance is larger for fewer
        found = {
            "sharpness": (laplacian_energy(pictures).mean() / self.sharp).item(),
            "far": self._far(seen[:count]) / self._far(self.part[:count]),
            "new": self._new(seen) / self._new(self.real),
        }
        words = self._words(pictures, list(numbers))
        return found if words is None else found | {"words": words}

    def nearest(self, pictures: Tensor) -> list[int]:
        """The number of the picture learned from that is nearest to each of some."""
        return torch.cdist(self._standard(self._features(pictures)), self.learned).argmin(1).tolist()

    def _far(self, seen: Tensor) -> float:
        return frechet.distance(frechet.fit(seen.numpy()), self.gaussian)

    def _new(self, seen: Tensor) -> float:
        return torch.cdist(seen, self.learned).amin(1).mean().item()

    def _words(self, pictures: Tensor, numbers: list[int]) -> float | None:
        """None where there are too few held-out captions to tell apart. One without a known word is not asked
        for.
        """
        if len(self.rivals) <= RIVALS:
            return None
        draw, own, others, asked = torch.Generator().manual_seed(0), [], [], []
        for place, number in enumerate(numbers):
            bag = self.bags[number]
            order = self.rivals[torch.randperm(len(self.rivals), generator=draw)]
            if bag.sum() > 0:
                asked.append(place)
                own.append(bag)
                others.append(order[(order != bag).any(1)][:RIVALS])
        if not asked:
            return None
        features = torch.cat([self.network.features(part) for part in pictures[asked].split(BATCH)])
        read = self.network.read
        return words_found(self.network.look(features), read(torch.stack(own)), read(torch.stack(others)))

    def _features(self, pictures: Tensor) -> Tensor:
        return torch.cat([self.judge.features(part) for part in pictures.split(BATCH)])

    def _standard(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.deviation


def blobs(pictures: Tensor) -> Tensor:
    """What is left of pictures [N, 3, H, W] at `BLOBS` pixels a side."""
    small = functional.adaptive_avg_pool2d(pictures, BLOBS)
    return functional.interpolate(small, pictures.shape[2:], mode="bicubic").clamp(-1, 1)


def mush(held_out: Tensor, count: int) -> dict[str, Tensor]:
    """Pictures that nobody would call good, [count, 3, H, W] each."""
    shape = (count, *held_out.shape[1:])
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    again = held_out[torch.arange(count) % len(held_out)]
    return {
        "noise": noise,
        "grey": torch.zeros(shape),
        "one picture": held_out[:1].expand(shape),
        "blobs": blobs(again),
    }


def in_words(rows: dict[str, Figures], name: str, held_out: int) -> str:
    """What the figures of a row say, beside those of so many held-out pictures, and what they do not."""
    own, real = rows[name], rows[REAL]
    faults, unsure = [], ""
    if own["far"] >= FAR:
        faults.append(f"{own['far']:.3g} times as far from the pictures learned from as other real ones are")
    if not SHARP[0] <= own["sharpness"] <= SHARP[1]:
        faults.append(f"{'blurred' if own['sharpness'] < 1 else 'rough'} ({own['sharpness']:.2f} as sharp)")
    if own["new"] < KNOWN:
        faults.append(f"learned by heart ({own['new']:.2f} of a new picture's distance to what was learned)")
    if real.get("words", 0) < HEARD:
        unsure = " Whether it listens to words, these figures cannot tell."
    elif own["words"] < (real["words"] + 1 / (RIVALS + 1)) / 2:
        faults.append(f"hardly listens to words ({own['words']:.2f}; real pictures {real['words']:.2f})")
    if held_out < FEW:
        unsure += f" With {held_out} held-out pictures every figure is rough."
    verdict = "not good yet" if faults else "nothing bad that these figures could see"
    verdict = "mush" if own["far"] >= MUSH else verdict
    return f"{name}: {verdict}{': ' if faults else ''}{', '.join(faults)}.{unsure}"
