"""Rebuild every bundled model from nothing, stage by stage.

    python -m trainers.pocket.weights          (or: make weights)

What the page does not offer is here: autoencoder, judges, teacher, the order, the figures. All else
is what the page trains, by the same recipes, with their preset "bundled". Each stage is a command of its own,
printed before it runs. A finished stage is not run again and a stopped one resumes where it was, so this
command can be interrupted and repeated at will. At the end it says how long the stages took.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from rf_app.jobs.plan import Stage, Wish
from rf_app.jobs.plan import stages as planned
from rf_app.metrics.judge import BUNDLED as JUDGE
from rf_app.metrics.perceptual import BUNDLED as PERCEPTUAL
from rf_app.registry.card import ModelCard
from rf_app.registry.models import BUNDLED as MODELS
from rf_app.settings.recipes import BUNDLED
from trainers.common import command
from trainers.common.chain import run_stages
from trainers.common.runs import default_run
from trainers.pocket.pictures import FAMILY_SIZE


@dataclass(frozen=True)
class WeightsConfig:
    """Where the stages work and publish."""

    runs: Path = field(default_factory=partial(default_run, "pocket"))
    """Folder of the stages' run folders, kept between starts."""
    models: Path = MODELS
    """Folder of the models."""
    judge: Path = JUDGE
    """Folder of the judge that measures."""
    perceptual: Path = PERCEPTUAL
    """Folder of the judge that the others are trained against."""
    prompts: int = 2_000
    """Held-out prompts of the final measurement."""


def stages(config: WeightsConfig) -> list[Stage]:
    """The whole chain, in order."""
    runs = config.runs
    vae, sd_pairs = runs / "autoencoder" / "vae", runs / "pocket-2rf" / "pairs"
    models, judge = ("--models", config.models), ("--judge", config.judge)
    quick = ("--precision", "auto")

    def own(title: str, module: str, product: Path, *words: object) -> Stage:
        return Stage(title, f"trainers.{module}", tuple(map(str, words)), str(product), ())

    def figures(id: str, module: str, *words: object) -> Stage:
        file = runs / f"{id}.json"
        return own(f"figures of {id}", module, file, "--json", file, "--write-card", *models, *judge, *words)

    def trained(
        recipe: str, id: str, title: str, teacher: str = "pocket-sd", kind: str = "diffusion", **more
    ) -> list[Stage]:
        settings = more.pop("settings", {}) | {f"{recipe}.overwrite": True}
        wish = Wish(recipe, teacher, id, title, BUNDLED, settings=settings, **more)
        # Of a teacher that is not made yet.
        card = ModelCard(teacher, teacher, kind=kind, resolution=FAMILY_SIZE, steps=25, guidance=3.0)
        found = planned(wish, card, runs / id, config.models)
        return [replace(stage, title=f"{id}: {stage.title}") for stage in found]

    def distilled(*names: str, **more) -> list[Stage]:
        return trained("distill", *names, settings={"distill.judge": str(config.perceptual)}, **more)

    def style(name: str) -> list[Stage]:
        id, drawn = f"pocket-{name}", runs / "styles" / name
        made = own(
            f"{name} pictures",
            "pocket.styles",
            drawn / "metadata.jsonl",
            *("--style", name, "--output", drawn),
        )
        learned = trained("lora", id, f"Pocket {name}", images=str(drawn), settings={"lora.trigger": name})
        return [made, *learned, figures(id, "evaluate_lora", "--lora", id, "--style", name)]

    def judged(title: str, folder: Path, *words: object) -> Stage:
        return own(title, "pocket.judge", folder, "--run", runs / title, "--output", folder, *words)

    teacher_at = ("--run", runs / "teacher", "--autoencoder", vae, "--output", "pocket-sd", "--overwrite")
    edges = "pocket-controlnet-canny"
    return [
        judged("perceptual", config.perceptual, "--architecture", "residual", "--first", 0, *quick),
        own(
            "autoencoder",
            "autoencoder",
            vae,
            *("--run", runs / "autoencoder", "--perceptual", config.perceptual, *quick),
        ),
        # In float32: the depthwise convolutions of a ConvNeXt are three times as slow in bfloat16.
        judged("judge", config.judge, "--autoencoder", vae),
        own("sample", "pocket.sample", config.judge / "sample.json", *judge),
        own("pocket-sd", "teacher", config.models / "pocket-sd", *(*teacher_at, *models, *quick)),
        *trained("reflow", "pocket-2rf", "Pocket 2-RF"),
        *distilled("pocket-instaflow", "Pocket InstaFlow", "pocket-2rf", "rectified-flow"),
        *distilled("pocket-sd-distilled", "Pocket SD, distilled directly", pairs=str(sd_pairs)),
        figures(
            "models",
            "evaluate",
            *("--model", "pocket-sd", "pocket-2rf", "pocket-instaflow", "pocket-sd-distilled"),
            *("--steps", 1, 2, 4, 8, 25, "--prompts", config.prompts),
        ),
        *style("woodcut"),
        *style("neon"),
        *trained("controlnet", edges, "Pocket canny"),
        figures(edges, "evaluate_controlnet", "--controlnet", edges),
    ]


def main(config: WeightsConfig) -> None:
    """Run every stage that has not finished; a failing stage ends the command with its exit code."""
    took = run_stages(stages(config), config.runs / "stages.json")
    print(f"every model is built; {took / 3600:.1f} hours in all", flush=True)


if __name__ == "__main__":
    command.run(main, WeightsConfig)
