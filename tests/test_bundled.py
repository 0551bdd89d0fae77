"""The bundled models against the figures they must reach, on a smaller sample than the README's."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline

from rf_app.metrics.fidelity import fidelity
from rf_app.metrics.judge import BUNDLED as JUDGE
from rf_app.metrics.judge import Judge
from rf_app.registry.models import BUNDLED, Registry
from trainers import evaluate
from trainers.common.pixels import to_tensor
from trainers.common.reconstruction import reconstructed
from trainers.pocket.first_edition.editions import world_of
from trainers.pocket.judge import accuracies
from trainers.pocket.world import HELD_OUT

ASSETS = BUNDLED.parent
COUNT = 160  # drawings
PROMPTS, MANY = 32, 512
KINDS = Judge.load(JUDGE).kinds
WORLD = world_of(KINDS)
FIRST = HELD_OUT + 700_000  # other seeds than the README's

pytestmark = pytest.mark.timeout(900)  # the figures take minutes on one core

MODELS = ("pocket-sd", "pocket-2rf", "pocket-instaflow", "pocket-sd-distilled")


@pytest.fixture(scope="module")
def drawings() -> np.ndarray:
    size = Registry([BUNDLED]).card("pocket-sd").resolution
    return np.stack([WORLD.picture(seed, size) for seed in range(FIRST, FIRST + COUNT)])


@pytest.fixture(scope="module")
def truth() -> dict[str, torch.Tensor]:
    """The true class of every attribute of the drawings."""
    scenes = [WORLD.describe(seed)[0] for seed in range(FIRST, FIRST + COUNT)]
    return {
        name: torch.tensor([kinds.index(getattr(scene, name)) for scene in scenes])
        for name, kinds in KINDS.items()
    }


def test_the_assets_stay_light() -> None:
    # 50 MB again when the first edition's family has gone: the second's first pieces lie beside it.
    assert sum(file.stat().st_size for file in ASSETS.rglob("*") if file.is_file()) < 62e6


def test_every_bundled_model_is_whole() -> None:
    registry = Registry([BUNDLED])
    assert registry.problems() == {}
    assert {card.id for card in registry.cards()} >= set(MODELS)


def test_the_judge_knows_fresh_drawings(drawings: np.ndarray, truth: dict[str, torch.Tensor]) -> None:
    found = accuracies(Judge.load(JUDGE), drawings, truth)
    assert set(found) == set(KINDS)
    assert min(found.values()) >= 0.98, found


def test_the_judge_knows_reconstructions(drawings: np.ndarray, truth: dict[str, torch.Tensor]) -> None:
    vae = AutoencoderKL.from_pretrained(BUNDLED / "pocket-sd" / "vae").eval()
    found = accuracies(Judge.load(JUDGE), reconstructed(vae, drawings), truth)
    assert min(found.values()) >= 0.96, found


def test_a_stock_pipeline_draws_what_the_prompt_says() -> None:
    pipe = StableDiffusionPipeline.from_pretrained(str(BUNDLED / "pocket-sd"))
    pipe.set_progress_bar_config(disable=True)
    images = pipe(
        ["a red tent in the desert at night"] * 8,
        num_inference_steps=25,
        guidance_scale=3.0,
        generator=[torch.Generator().manual_seed(seed) for seed in range(8)],
    ).images
    judge = Judge.load(JUDGE)
    seen = judge(to_tensor(np.stack([np.asarray(image) for image in images])))
    wanted = {"land": "desert", "time": "night", "object": "tent", "colour": "red"}
    assert fidelity(seen, [wanted] * len(images), judge.kinds).mean >= 0.9


@pytest.fixture(scope="module")
def many_rows(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], dict]:
    """The figures of the family at 1 step and of the teacher at 25, by (model, steps).

    On many prompts: few give every FID a bias that hides what lies between two of them.
    """
    return measured(tmp_path_factory.mktemp("figures"), MODELS[1:], MANY)


def measured(folder: Path, quick: tuple[str, ...], prompts: int) -> dict[tuple[str, int], dict]:
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTAFLOW_HOME", str(folder))
        for name, models, steps in (("teacher", MODELS[:1], (1, 25)), ("one", quick, (1,))):
            file = folder / f"{name}.json"
            evaluate.main(
                evaluate.EvaluateConfig(model=models, steps=steps, prompts=prompts, seed=700_000, json=file)
            )
            heard = json.loads(file.read_text())
            found += heard if isinstance(heard, list) else [heard]
    return {(row["model"], row["steps"]): row for row in found}


def test_the_teacher_is_faithful_so_is_one_step_and_reflow_straightens(tmp_path: Path) -> None:
    """One test: each that needs these figures would cost their minute again, on another worker."""
    rows = measured(tmp_path, MODELS[1:3], PROMPTS)
    teacher, one = rows["pocket-sd", 25]["fidelity"]["mean"], rows["pocket-instaflow", 1]["fidelity"]["mean"]
    assert teacher >= 0.93
    assert one >= 0.95 * teacher
    assert rows["pocket-2rf", 1]["straightness"] <= 0.5 * rows["pocket-sd", 1]["straightness"]
    assert rows["pocket-2rf", 1]["fid"] <= 0.5 * rows["pocket-sd", 1]["fid"]


@pytest.mark.slow
def test_one_step_looks_as_good_as_the_teacher_s_25(many_rows: dict) -> None:
    assert many_rows["pocket-instaflow", 1]["fid"] <= 1.5 * many_rows["pocket-sd", 25]["fid"]


@pytest.mark.slow
def test_reflow_is_worth_its_while(many_rows: dict) -> None:
    """Distilling the teacher at once, with as many pairs and steps, gives a worse model."""
    assert many_rows["pocket-sd-distilled", 1]["fid"] > many_rows["pocket-instaflow", 1]["fid"]


@pytest.mark.slow
def test_reflow_is_worth_a_third_of_the_fid(tmp_path: Path) -> None:
    """On 2,000 prompts: with fewer, the bias that small samples give every FID hides the ratio."""
    file = tmp_path / "figures.json"
    models = ("pocket-instaflow", "pocket-sd-distilled")
    evaluate.main(evaluate.EvaluateConfig(model=models, steps=(1,), prompts=2_000, json=file))
    through_reflow, direct = json.loads(file.read_text())
    assert direct["fid"] >= 1.3 * through_reflow["fid"]


def test_the_cards_and_the_readme_say_the_same() -> None:
    registry = Registry([BUNDLED])
    rows = [
        evaluate.Row(id, int(steps.split()[0]), measured_on={}, **figures)
        for id in MODELS
        for steps, figures in registry.card(id).measured.items()
        if steps != "measured_on"
    ]
    table = evaluate.table(sorted(rows, key=lambda row: (MODELS.index(row.model), row.steps)))
    assert table in (ASSETS.parent / "README.md").read_text(encoding="utf-8")
