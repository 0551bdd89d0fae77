"""What can be trained, and how: the recipes that the page, the jobs' command and `make weights` run.

A recipe is a value below (`rf_app.settings.recipe` says what of), and a new one appears on the page by
itself. Its stages are commands, one after the other; `rf_app.jobs.plan` fills in the words in braces:
{teacher}, {start} (the teacher, with the style in it), {output}, {title}, {style}, {images}, {prompts},
{pairs}, and the folders {folder} (the job's), {models} and {home}.
"""

from rf_app.errors import UserError
from rf_app.settings import sd15
from rf_app.settings.recipe import Loop, Recipe, Shown, Step
from rf_app.settings.world import SHARES

PRESETS = {"quick": "Quick", "medium": "Medium", "good": "Good"}  # what the page offers
BUNDLED = "bundled"  # the preset that made the models the project brings along

# How a model draws its pairs. Targets of a 2-RF at guidance 2 give the best one-step model.
DRAWS = {"diffusion": {"steps": 12}, "rectified-flow": {"steps": 8, "guidance": 2.0}}
QUICK = {"precision": "auto"}


def _drawing(title: str, teacher: str, folder: str, kind: str = "", unless: str = "") -> Step:
    return Step(
        title,
        "pairs",
        {"teacher": teacher, "output": folder, "prompts": "{prompts}", "models": "{models}"},
        product=f"{folder}/complete.json",
        defaults=QUICK,
        loops=(Loop(folder, "count", "steps", 0.006),),
        memory=1.2,
        by_kind=DRAWS,
        kind=kind,
        unless=unless,
    )


def _reflow(output: str, title: str, pairs: str) -> Step:
    return Step(
        "Reflow straightens the paths",
        "reflow",
        {"teacher": "{start}", "pairs": pairs, "output": output, "title": title, "run": "{folder}/reflow"}
        | {"models": "{models}"},
        product=f"{{models}}/{output}",
        defaults=QUICK,
        loops=(Loop("{folder}/reflow", "steps", "batch", 0.007),),
        memory=1.6,
    )


def _distillation(teacher: str, pairs: str) -> Step:
    return Step(
        "Distillation leaves one step",
        "distill",
        {
            "teacher": teacher,
            "pairs": pairs,
            "output": "{output}",
            "title": "{title}",
            "run": "{folder}/distill",
            "models": "{models}",
        },
        product="{models}/{output}",
        defaults=QUICK,
        loops=(
            Loop("{folder}/distill/l2", "l2_steps", "l2_batch", 0.012),
            Loop("{folder}/distill/lpips", "lpips_steps", "lpips_batch", 0.06),
            Loop("{folder}/distill/match", "match_steps", "match_batch", 0.03),
        ),
        memory=1.8,
    )


STYLE = Step(
    "The style goes into the teacher",
    "merge",
    {"teacher": "{teacher}", "lora": "{style}", "output": "{output}-teacher", "models": "{models}"},
    product="{models}/{output}-teacher",
    when="style",
)
GIVEN_PAIRS = _drawing("The teacher draws", "{start}", "{folder}/pairs", unless="pairs")
COUNT = Shown("pairs.count", "Pictures to learn from", "Drawn by the teacher.", 48)

INSTAFLOW = Recipe(
    "instaflow",
    "A one-step model",
    "The whole way. The teacher draws pairs, reflow straightens its paths, distillation leaves a single "
    "step.",
    "My one-step model",
    teachers=("diffusion",),
    shown=(
        COUNT,
        Shown("reflow.steps", "Steps of reflow", "Straightens the paths.", 10),
        Shown("distill.l2_steps", "Steps of distillation", "Learns the single step.", 10),
    ),
    presets={
        "quick": {"pairs.count": 256, "pairs.shard": 128, "reflow.steps": 100, "reflow.batch": 24}
        | {"reflow.ema": 0.99, "distill.l2_steps": 120, "distill.l2_batch": 24, "distill.lpips_steps": 20}
        | {"distill.ema": 0.99},
        "medium": {"pairs.count": 1280, "pairs.shard": 128, "reflow.steps": 600, "reflow.batch": 32}
        | {"reflow.ema": 0.995, "distill.l2_steps": 500, "distill.l2_batch": 32, "distill.lpips_steps": 100}
        | {"distill.ema": 0.995},
        "good": {"pairs.count": 20_480, "pairs.shard": 256, "reflow.steps": 5000}
        | {"distill.l2_steps": 3000, "distill.lpips_steps": 1400},
        BUNDLED: {"pairs.count": 30_720, "reflow.steps": 5000}
        | {"distill.l2_steps": 3000, "distill.lpips_steps": 1400},
        "sd15": sd15.PAIRS | sd15.REFLOW | sd15.DISTILL,
        "sd15-lowcost": sd15.PAIRS_LOWCOST | sd15.REFLOW_LOWCOST | sd15.DISTILL_LOWCOST,
    },
    steps=(
        STYLE,
        _drawing("The teacher draws", "{start}", "{folder}/pairs"),
        _reflow("{output}-2rf", "{title} (2-RF)", "{folder}/pairs"),
        _drawing("The straight model draws", "{output}-2rf", "{folder}/straight-pairs", "rectified-flow"),
        _distillation("{output}-2rf", "{folder}/straight-pairs"),
    ),
    makes="models",
    asks=("prompts", "style"),
)

REFLOW = Recipe(
    "reflow",
    "A straighter model",
    "Reflow: the pictures stay the same, the paths to them become nearly straight, and a few steps suffice.",
    "My straighter model",
    teachers=("diffusion", "rectified-flow"),
    shown=(COUNT, Shown("reflow.steps", "Steps of reflow", "More is better.", 10)),
    presets={
        "quick": {"pairs.count": 384, "pairs.shard": 128}
        | {"reflow.steps": 250, "reflow.batch": 24, "reflow.ema": 0.99},
        "medium": {"pairs.count": 2048, "pairs.shard": 128}
        | {"reflow.steps": 1200, "reflow.batch": 32, "reflow.ema": 0.995},
        "good": {"pairs.count": 10_240, "pairs.shard": 256, "reflow.steps": 5000},
        BUNDLED: {"pairs.count": 30_720, "reflow.steps": 5000},
        "sd15": sd15.PAIRS | sd15.REFLOW,
        "sd15-lowcost": sd15.PAIRS_LOWCOST | sd15.REFLOW_LOWCOST,
    },
    steps=(STYLE, GIVEN_PAIRS, _reflow("{output}", "{title}", "{pairs}")),
    makes="models",
    asks=("prompts", "style", "pairs"),
)

DISTILL = Recipe(
    "distill",
    "One step, at once",
    "Distillation alone. Learns to take the teacher's many steps as one; best from a model with straight "
    "paths.",
    "My one-step model",
    teachers=("rectified-flow", "diffusion"),
    shown=(
        COUNT,
        Shown("distill.l2_steps", "Steps", "More is better.", 0),
        Shown("distill.lpips_steps", "Steps of polishing", "By what the eye sees (LPIPS).", 0),
    ),
    presets={
        "quick": {"pairs.count": 384, "pairs.shard": 128, "distill.l2_steps": 150, "distill.l2_batch": 24}
        | {"distill.lpips_steps": 20, "distill.ema": 0.99},
        "medium": {"pairs.count": 2048, "pairs.shard": 128, "distill.l2_steps": 800, "distill.l2_batch": 32}
        | {"distill.lpips_steps": 150, "distill.ema": 0.995},
        "good": {"pairs.count": 20_480, "pairs.shard": 256}
        | {"distill.l2_steps": 3000, "distill.lpips_steps": 1400},
        BUNDLED: {"pairs.count": 30_720, "distill.l2_steps": 3000, "distill.lpips_steps": 1400},
        "sd15": sd15.PAIRS | sd15.DISTILL,
        "sd15-lowcost": sd15.PAIRS_LOWCOST | sd15.DISTILL_LOWCOST,
    },
    steps=(STYLE, GIVEN_PAIRS, _distillation("{start}", "{pairs}")),
    makes="models",
    asks=("prompts", "style", "pairs"),
)

PERFLOW = Recipe(
    "perflow",
    "Four steps, like the teacher (PeRFlow)",
    "The path becomes straight piece by piece. It needs no pairs, draws in four or eight steps, and takes "
    "guidance and negative prompts as the teacher does.",
    "My few-step model",
    teachers=("diffusion",),
    shown=(
        Shown("perflow.steps", "Steps", "More is better.", 10),
        Shown("perflow.drawings", "Drawings", "Of the pocket world, where no pictures are given.", 48),
    ),
    presets={
        "quick": {"perflow.steps": 60, "perflow.batch": 16, "perflow.drawings": 256}
        | {"perflow.teacher_steps": 16, "perflow.ema": 0.98},
        "medium": {"perflow.steps": 300, "perflow.batch": 32, "perflow.drawings": 2000}
        | {"perflow.ema": 0.99},
        "good": {"perflow.steps": 2000},
        "sd15": sd15.PERFLOW,
        "sd15-lowcost": sd15.PERFLOW_LOWCOST,
    },
    steps=(
        STYLE,
        Step(
            "Each window of time gets straight",
            "perflow",
            {"teacher": "{start}", "output": "{output}", "title": "{title}", "images": "{images}"}
            | {"run": "{folder}/perflow", "models": "{models}"},
            product="{models}/{output}",
            defaults=QUICK,
            loops=(Loop("{folder}/perflow", "steps", "batch", 0.026),),
            memory=1.8,
        ),
    ),
    makes="models",
    asks=("images", "style"),
)

LORA = Recipe(
    "lora",
    "A style of your own",
    "A LoRA. From a few dozen pictures it learns how they are drawn, for the teacher and every model made "
    "from it.",
    "My style",
    teachers=("diffusion",),
    shown=(
        Shown("lora.trigger", "Words that call it", "Such as: woodcut. Put them into a prompt."),
        Shown("lora.steps", "Steps", "More is better up to a point.", 10),
    ),
    presets={
        "quick": {"lora.steps": 60, "lora.batch": 16, "lora.ema": 0.98},
        "medium": {"lora.steps": 300, "lora.batch": 32, "lora.ema": 0.99},
        "good": {"lora.steps": 1000},
        BUNDLED: {"lora.steps": 400},
    },
    steps=(
        Step(
            "The LoRA learns",
            "lora",
            {"base": "{teacher}", "output": "{output}", "title": "{title}", "images": "{images}"}
            | {"run": "{folder}/lora", "loras": "{home}/loras", "models": "{models}"},
            product="{home}/loras/{output}",
            defaults=QUICK,
            loops=(Loop("{folder}/lora", "steps", "batch", 0.012),),
            memory=1.8,
        ),
    ),
    makes="loras",
    asks=("images",),
    needs="images",
)

CONTROLNET = Recipe(
    "controlnet",
    "Follow drawings (ControlNet)",
    "Pictures that follow a drawing. For a diffusion model and every model made from it.",
    "My ControlNet",
    teachers=("diffusion",),
    shown=(
        Shown("controlnet.steps", "Steps", "More is better.", 10),
        Shown("controlnet.drawings", "Drawings", "Of the pocket world, where no pictures are given.", 48),
    ),
    presets={
        "quick": {"controlnet.steps": 60, "controlnet.batch": 16, "controlnet.drawings": 256}
        | {"controlnet.ema": 0.98},
        "medium": {"controlnet.steps": 300, "controlnet.batch": 32, "controlnet.drawings": 2000}
        | {"controlnet.ema": 0.99},
        "good": {"controlnet.steps": 2000, "controlnet.drawings": 24_000},
        BUNDLED: {"controlnet.steps": 2000, "controlnet.drawings": 24_000},
    },
    steps=(
        Step(
            "The ControlNet learns",
            "controlnet",
            {"base": "{teacher}", "output": "{output}", "title": "{title}", "images": "{images}"}
            | {"run": "{folder}/controlnet", "controlnets": "{home}/controlnets", "models": "{models}"},
            product="{home}/controlnets/{output}",
            defaults=QUICK,
            loops=(Loop("{folder}/controlnet", "steps", "batch", 0.02),),
            memory=2.2,
        ),
    ),
    makes="controlnets",
    asks=("images",),
)

FLOWS = {  # folders of a run, and what happens there
    "1-rectified": "A first flow joins the two kinds",
    "2-rectified": "A second one gets straighter",
    "distilled": "One step is left of it",
}

TRANSLATE = Recipe(
    "translate",
    "From one kind of picture to another",
    "Day to night, plain to woodcut: a translation, with which the Edit tab draws in one step. It learns "
    "from pictures of both kinds, of which none needs a counterpart.",
    "My translation",
    teachers=("diffusion",),
    shown=(
        Shown("translate.source", "From", "Such as day, summer or plain; or a folder of pictures here."),
        Shown("translate.target", "To", "Such as night, winter or woodcut; or another folder."),
        Shown("translate.drawings", "Drawings", "Of each kind, where no folders are given.", 20),
        Shown("translate.steps", "Steps", "Of each of the three parts. More is better.", 10),
    ),
    presets={
        "quick": {"translate.drawings": 300, "translate.steps": 60, "translate.batch": 24}
        | {"translate.ema": 0.98, "translate.measured": 50},
        "medium": {"translate.drawings": 1000, "translate.steps": 300, "translate.batch": 32}
        | {"translate.ema": 0.98, "translate.measured": 100},
        "good": {"translate.drawings": 4000, "translate.steps": 3000},
    },
    steps=(
        Step(
            "Pictures learn their way",
            "translate",
            {"base": "{teacher}", "output": "{output}", "title": "{title}", "run": "{folder}/translate"}
            | {"translations": "{home}/translations", "models": "{models}"},
            product="{home}/translations/{output}",
            defaults=QUICK | {"source": "day", "target": "night"},
            loops=tuple(
                Loop(f"{{folder}}/translate/{folder}", "steps", "batch", 0.007, title)
                for folder, title in FLOWS.items()
            ),
            memory=1.8,
        ),
    ),
    makes="translations",
)

PAIRS = Recipe(
    "pairs",
    "Pairs only",
    "What reflow and distillation learn from. Noise, prompt and the picture the teacher makes of them, to "
    "use again.",
    "My pairs",
    teachers=("diffusion", "rectified-flow"),
    shown=(Shown("pairs.count", "Pictures", "As many pairs.", 1),),
    presets={
        "quick": {"pairs.count": 512, "pairs.shard": 128},
        "medium": {"pairs.count": 4096, "pairs.shard": 128},
        "good": {"pairs.count": 20_480, "pairs.shard": 256},
    },
    steps=(_drawing("The teacher draws", "{teacher}", "{folder}/pairs"),),
    asks=("prompts",),
)

WORLD_STAGES = Recipe(
    "world-stages",
    "The stages of a world",
    "What trainers.world runs, with sizes that follow from the pictures and the time.",
    "My world",
    teachers=("diffusion",),
    shown=(),
    presets={"own": {}},  # sizes follow from the pictures: `rf_app.settings.world`
    steps=(
        Step(
            "An autoencoder learns the pictures",
            "autoencoder",
            {"images": "{images}", "run": "{folder}/autoencoder"},
            product="{folder}/autoencoder/vae",
            defaults=QUICK,
            loops=(Loop("{folder}/autoencoder", "steps", "batch", 0.05),),
        ),
        Step(
            "The teacher learns to draw them",
            "teacher",
            {"images": "{images}", "run": "{folder}/teacher", "autoencoder": "{folder}/autoencoder/vae"}
            | {"output": "{teacher}", "title": "{title} (teacher)", "models": "{models}"},
            product="{models}/{teacher}",
            defaults=QUICK,
            loops=(Loop("{folder}/teacher", "steps", "batch", 0.007),),
        ),
        *INSTAFLOW.steps[1:],
        Step(
            "A small network learns to measure",
            "contrastive",
            # In float32: the depthwise convolutions of a ConvNeXt are three times as slow in bfloat16.
            {"images": "{images}", "run": "{folder}/contrastive", "output": "{folder}/contrastive/network"},
            product="{folder}/contrastive/network",
            loops=(Loop("{folder}/contrastive", "steps", "batch", 0.02),),
        ),
    ),
    makes="models",
    asks=("images", "prompts"),
    needs="images",
)

PARTS = {  # folder, what happens there, and the share of the time that it has
    "autoencoder": ("An autoencoder learns the pictures", SHARES["autoencoder"]),
    "teacher": ("The teacher learns to draw them", SHARES["teacher"]),
    "pairs": ("The teacher draws", SHARES["pairs"] * 0.6),
    "reflow": ("Reflow straightens the paths", SHARES["reflow"]),
    "straight-pairs": ("The straight model draws", SHARES["pairs"] * 0.4),
    "distill/l2": ("Distillation leaves one step", SHARES["distill l2"]),
    "distill/lpips": ("One step is polished by what the eye sees", SHARES["distill lpips"]),
    "contrastive": ("A small network learns to measure", SHARES["contrastive"]),
}

WORLD = Recipe(
    "world",
    "A world of your own",
    "From your pictures alone to a model that draws in one step, with no other model to begin with. A few "
    "hundred pictures and two hours are a beginning; more of both is better.",
    "My world",
    teachers=(),
    shown=(
        Shown("world.hours", "Hours", "For all of it. The sizes follow from that.", 0.01),
        Shown("world.size", "Pixels a side", "32, 64, 96 … Small ones learn more.", 32),
    ),
    presets={
        "quick": {"world.hours": 1, "world.size": 64},
        "medium": {"world.hours": 2, "world.size": 96},
        "good": {"world.hours": 8, "world.size": 128},
    },
    steps=(
        Step(
            "Your pictures become a world",
            "world",
            {"images": "{images}", "output": "{output}", "title": "{title}", "run": "{folder}/world"}
            | {"models": "{models}"},
            product="{folder}/world/figures.json",  # the last thing that is made
            loops=tuple(
                Loop(f"{{folder}}/world/{folder}", "hours", "", 3600 * share, title)
                for folder, (title, share) in PARTS.items()
            ),
            memory=2.0,
        ),
    ),
    makes="models",
    asks=("images",),
    needs="images",
)

RECIPES = (INSTAFLOW, REFLOW, DISTILL, PERFLOW, LORA, CONTROLNET, TRANSLATE, PAIRS, WORLD)


def recipes() -> dict[str, Recipe]:
    """All recipes by name, in the order in which they are offered."""
    return {each.name: each for each in RECIPES}


def recipe(name: str) -> Recipe:
    """One recipe; raises UserError with the names there are."""
    known = recipes() | {WORLD_STAGES.name: WORLD_STAGES}
    if name not in known:
        raise UserError(f"There is no recipe {name!r:.60}; there are {', '.join(recipes())}.")
    return known[name]
