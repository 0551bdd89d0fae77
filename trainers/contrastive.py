"""Train the small network by which a world of one's own is measured: which caption is which picture's.

    python -m trainers.contrastive --images pictures/ --size 96 --output my-run/eyes

Minimises the two cross entropies of CLIP (arXiv 2103.00020, figure 3) in each batch, where pictures with the
same words are no rivals. Stops cleanly on Ctrl-C; the same command resumes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rf_app.settings.from_nothing import Contrastive as Settings
from trainers.common import LoopConfig, command, train
from trainers.common.contrastive import Contrastive
from trainers.common.pixels import roughen, to_tensor
from trainers.common.precision import accelerator_in
from trainers.common.runs import default_run
from trainers.data.source import learned_and_held_out

UNSAID = 0.2  # share of the words that a caption loses in a step, so that none alone tells a picture


def contrastive_loss(logits: Tensor, bags: Tensor) -> Tensor:
    """Of logits [B, B] and bags of words [B, V]: pictures with equal words share the right answer."""
    same = (bags[:, None] == bags[None]).all(2)
    right = same / same.sum(1, keepdim=True)
    return (functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)) / 2


def main(config: Settings) -> None:
    """Train, and save to OUTPUT."""
    accelerator = accelerator_in(config.precision)
    device = accelerator.device
    torch.manual_seed(config.seed)
    with accelerator.main_process_first():
        images, _ = learned_and_held_out(config)
    network = Contrastive(images.vocabulary()["words"]).to(memory_format=torch.channels_last)
    bags = network.bags([images.caption(i) for i in range(len(images))])

    def loss(model: nn.Module, draw: int, generator: torch.Generator) -> Tensor:
        picks = torch.randperm(len(images), generator=generator)[: config.batch]
        own = torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=generator)))
        batch = roughen(to_tensor(images.pixels(picks.tolist()), device), own)
        said = bags[picks] * (torch.rand(len(picks), bags.shape[1], generator=generator) > UNSAID)
        logits = model(batch.contiguous(memory_format=torch.channels_last), said.to(device))
        return contrastive_loss(logits, bags[picks].to(device))

    subject = {"pictures": images.digest(), "size": config.size}
    loop = LoopConfig.of(config, config.run or default_run("contrastive"), subject=subject)
    trained = train(loop, network, loss)
    if accelerator.is_main_process:
        trained.save(config.output)
        print(f"knows {len(trained.words):,} words of {len(images):,} pictures", flush=True)


if __name__ == "__main__":
    command.run(main, Settings)
