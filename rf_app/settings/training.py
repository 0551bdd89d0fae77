"""The settings of every training, as its command takes them: `python -m trainers.NAME` for the class NAME.

Free of PyTorch, so that a page can offer them and jobs can plan with them while a trainer works by them. What
stands below a field is its help, on the command line and on the page.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rf_app.errors import UserError

Precision = Literal["auto", "no", "bf16", "fp16"]
Tracker = Literal["tensorboard", "trackio"]
Start = Literal["matched", "raw"]
Density = Literal["uniform", "u-shaped"]
WindowPrediction = Literal["ddim_eps", "diff_eps"]
LossName = Literal["velocity", "huber"]
Layers = Literal["attention", "feed-forward", "convolutions"]
PICTURE_SUFFIXES = ".png", ".jpg", ".jpeg", ".webp", ".bmp"  # as the files of a folder of pictures end


def check_sampling(steps: int | None, guidance: float | None) -> None:
    """Raises UserError for steps outside 1..100 or guidance outside 0..20."""
    if steps is not None and not 1 <= steps <= 100:
        raise UserError(f"--steps must be 1 to 100, not {steps}.")
    if guidance is not None and not 0 <= guidance <= 20:
        raise UserError(f"--guidance must be 0 to 20, not {guidance}.")


@dataclass(frozen=True, kw_only=True)
class Computing:
    """How a command computes."""

    precision: Precision | None = None
    """Arithmetic: "no" for float32, "bf16", "fp16" (on a GPU alone), or "auto", bf16 where the device has it
    in hardware (default: what accelerate is set to)."""
    compile: bool = False
    """Compile the network first (torch.compile): minutes at the start, quicker from then on, on a GPU above
    all."""
    seed: int = 0
    """Seed of every draw."""


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What a trainer does when it only should say what it would take."""

    dry_run: bool = False
    """Print the settings, and the memory, disk and time that they would take here; train nothing."""


@dataclass(frozen=True, kw_only=True)
class Training(Computing):
    """What every training takes."""

    run: Path | None = None
    """Run folder for checkpoints, events and samples; the same folder resumes (default: NAME/OUTPUT under the
    user's runs). With more steps a finished training goes on: a warm restart, since the learning rate, which
    has come down to zero, rises to where it is in a training of so many steps, and falls again."""
    ema: float = 0.999
    """Decay of the moving average."""
    checkpoint_every: int = 500
    """Steps between checkpoints."""
    accumulate: int = 1
    """Batches in a step, one after the other: as one so many times as large, in the memory of one."""
    gradient_checkpointing: bool = False
    """Compute again on the way back what the network would keep: far less memory, a third more time."""
    use_8bit_adam: bool = False
    """AdamW's moments in 8 bits, with bitsandbytes, where that is installed: a quarter of their memory."""
    tracker: Tracker | None = None
    """Show the curves in TensorBoard (in the run folder) or trackio, too, where that is installed."""

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        for name, value in vars(self).items():
            flag = name.replace("_", "-")
            counts = ("steps", "checkpoint_every", "accumulate", "match_every", "widen_every")
            if name in counts or name.endswith("batch"):
                if value < 1:
                    raise UserError(f"--{flag} must be at least 1, not {value}.")
            elif name.endswith("learning_rate") and not 0 < value < 1:
                raise UserError(f"--{flag} must lie between 0 and 1, not {value}.")
        if not 0 <= self.ema < 1:
            raise UserError(f"--ema must be at least 0 and under 1, not {self.ema}.")
        if self.seed < 0:
            raise UserError(f"--seed must not be negative, not {self.seed}.")


@dataclass(frozen=True, kw_only=True)
class SteppedTraining(Training):
    """A training of one stage."""

    steps: int
    """Optimizer steps."""
    batch: int
    """Pairs or pictures in a batch of each process."""
    learning_rate: float
    """Peak learning rate."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """What is published."""

    output: str
    """Id of what is published."""
    title: str = ""
    """Its name in the list (default: what it is)."""
    models: Path | None = None
    """Folder of models besides the bundled ones; a model is published there (default: the user's)."""
    overwrite: bool = False
    """Replace what has that id."""


@dataclass(frozen=True, kw_only=True)
class Taught(DryRun, Published, Training):
    """A training of a teacher's U-Net."""

    teacher: str
    """Model id whose weights are the start."""


@dataclass(frozen=True, kw_only=True)
class OnPairs(Taught):
    """A training of a teacher's U-Net on pairs."""

    pairs: Path
    """Folder of pairs, from trainers.pairs."""
    start: Start = "matched"
    """How the U-Net of a diffusion model is taken up: "matched", as a flow at the same signal-to-noise ratio
    (it goes on predicting epsilon), or "raw", its weights alone (it learns to predict velocity, as InstaFlow
    did). A rectified flow goes on predicting what it predicts."""


@dataclass(frozen=True, kw_only=True)
class Pairs(DryRun, Computing):
    """Settings of the pairs."""

    teacher: str
    """Model id that makes the latents."""
    output: Path
    """Folder for the shards; the same command resumes in it."""
    count: int = 20_000
    """Number of pairs."""
    steps: int | None = None
    """Solver steps, 1 to 100 (default: what the teacher's card recommends)."""
    guidance: float | None = None
    """Guidance, 0 to 20 (default: what the teacher's card recommends)."""
    batch: int = 64
    """Pairs made at once; it does not change a pair."""
    shard: int = 1024
    """Pairs in a shard."""
    models: Path | None = None
    """Folder of models to look in besides the bundled ones (default: the user's)."""
    prompts: Path | None = None
    """Text file with a prompt a line, used in turn (default: captions of the pocket world)."""
    seed: int = 0
    """Seed of the first pair."""

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        for name in ("count", "batch", "shard"):
            if getattr(self, name) < 1:
                raise UserError(f"--{name} must be at least 1, not {getattr(self, name)}.")
        check_sampling(self.steps, self.guidance)


@dataclass(frozen=True, kw_only=True)
class Reflow(OnPairs, SteppedTraining):
    """Settings of a reflow; the defaults suit the pocket models."""

    loss: LossName = "velocity"
    """"velocity": squared error of v; "huber": Huber error of the predicted data (Rectified Diffusion)."""
    density: Density = "uniform"
    """Density of tau: "uniform", or "u-shaped", more at both ends (2-RF++, arXiv 2405.20320)."""
    steps: int = 5_000
    batch: int = 48
    learning_rate: float = 4e-4
    """Peak learning rate (InstaFlow took 1e-6 for SD 1.5)."""


@dataclass(frozen=True, kw_only=True)
class Distill(OnPairs):
    """Settings of a distillation; the defaults suit the pocket models. Its run has l2/, lpips/, match/."""

    stacked: bool = False
    """Put a second U-Net behind the teacher's, which begins as its copy: one step of two networks, as
    InstaFlow-1.7B takes it."""
    l2_steps: int = 3_000
    """Steps of the first stage, 0 to leave it out."""
    l2_batch: int = 48
    """Pairs in a batch of the first stage."""
    l2_learning_rate: float = 3e-4
    """Peak learning rate of the first stage."""
    lpips_steps: int = 1_400
    """Steps of the second stage, 0 to leave it out."""
    lpips_batch: int = 16
    """Pairs in a batch of the second stage, which decodes them."""
    lpips_learning_rate: float = 2e-5
    """Peak learning rate of the second stage: low, since it starts where the first one has settled."""
    latent_weight: float = 0.1
    """Weight of the latents' squared error in the second stage: it holds colours that LPIPS lets drift."""
    judge: Path | None = None
    """Folder of the judge whose feature maps LPIPS compares (default: the bundled one for that, from which no
    figure comes)."""
    anywhere: bool = False
    """Learn the step from points on the way, too, in half of what is learned: then it can begin from a
    picture, not from noise alone."""
    match_steps: int = 0
    """Steps of the third stage, distribution matching (DMD2, arXiv 2405.14867), 0 to leave it out."""
    match_batch: int = 48
    """Pairs in a batch of the third stage."""
    match_learning_rate: float = 1e-5
    """Peak learning rate of the third stage, of student and critic: low, or the one outruns the other."""
    match_teacher: str = ""
    """Model id whose pictures the student's are to be like (default: the last diffusion model in the
    teacher's line)."""
    match_guidance: float | None = None
    """Guidance of that model, 0 to 20 (default: what its card recommends)."""
    match_every: int = 5
    """Steps of the third stage for one in which the student learns; the critic learns in all of them."""
    match_anchor: float = 0.25
    """Weight of the latents' squared error in the third stage: it holds the student to its pairs."""

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range, and where nothing would be trained."""
        super().__post_init__()
        steps = self.l2_steps, self.lpips_steps, self.match_steps
        if min(steps) < 0 or sum(steps) == 0:
            raise UserError(
                "--l2-steps {}, --lpips-steps {} and --match-steps {}: none may be negative, and one must be "
                "more than 0.".format(*steps)
            )
        if self.match_guidance is not None and not 0 <= self.match_guidance <= 20:
            raise UserError(f"--match-guidance must be 0 to 20, not {self.match_guidance}.")
        if self.match_anchor < 0:
            raise UserError(f"--match-anchor must not be negative, not {self.match_anchor}.")


@dataclass(frozen=True, kw_only=True)
class PeRFlow(Taught, SteppedTraining):
    """Settings of a piecewise rectified flow; the defaults suit the pocket models."""

    images: Path | None = None
    """Folder of captioned pictures (default: drawings of the pocket world)."""
    drawings: int = 10_000
    """Number of drawings, where there is no folder of pictures."""
    windows: int = 4
    """Windows of time in which the flow gets straight, 1 to 16: the fewest steps it can be drawn in."""
    first_windows: int = 4
    """Windows at the beginning: those, or 2, 4 … times as many, which become fewer and wider (ProReflow,
    arXiv 2503.04824)."""
    widen_every: int = 500
    """Steps until there are half as many windows, as long as there are more than in the end."""
    teacher_steps: int = 32
    """Steps of the teacher from noise to picture, shared out among the windows."""
    guidance: float = 1.0
    """Guidance of the teacher, 0 to 20. At 1 it is seen as it is, and guidance and negative prompts are for
    whoever draws, as with the teacher; above, the guided pictures are learned, and drawn at 1."""
    predicts: WindowPrediction = "ddim_eps"
    """What the U-Net predicts: "ddim_eps", what the teacher does, or "diff_eps", as the published weights, a
    multiple of that which it has to learn first."""
    steps: int = 1_000
    batch: int = 48
    learning_rate: float = 2e-4
    """Peak learning rate (the paper took 8e-5 for SD 1.5)."""

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        super().__post_init__()
        for name, most in (("windows", 16), ("first_windows", 64), ("teacher_steps", 100)):
            if not 1 <= (value := getattr(self, name)) <= most:
                raise UserError(f"--{name.replace('_', '-')} must be 1 to {most}, not {value}.")
        times = self.first_windows / self.windows
        if not times.is_integer() or int(times) & int(times) - 1:
            raise UserError(
                f"--first-windows must be --windows, {self.windows}, or 2, 4, 8 … times as many, not "
                f"{self.first_windows}."
            )
        if self.first_windows > self.teacher_steps:
            raise UserError(
                f"--teacher-steps must be at least one for each of the {self.first_windows} windows, not "
                f"{self.teacher_steps}."
            )
        if not 0 <= self.guidance <= 20:
            raise UserError(f"--guidance must be 0 to 20, not {self.guidance}.")

    def windows_at(self, step: int) -> int:
        """The number of windows in step 0 … steps-1."""
        return max(self.windows, self.first_windows >> min(step // self.widen_every, 6))


@dataclass(frozen=True, kw_only=True)
class Lora(DryRun, Published, SteppedTraining):
    """Settings of a LoRA's training; the defaults suit the pocket models."""

    images: Path
    """Folder of captioned pictures."""
    base: str = "pocket-sd"
    """Model id that it is for: one that predicts epsilon."""
    trigger: str = ""
    """Words that call the style, put at the end of every caption that has them nowhere."""
    loras: Path | None = None
    """Folder to publish into (default: the user's)."""
    layers: tuple[Layers, ...] = ("attention", "feed-forward")
    """What is changed in the U-Net."""
    rank: int = 16
    """Rank of every change, 1 to 256; alpha is the same, so strength 1 is what was trained."""
    steps: int = 400
    batch: int = 32
    learning_rate: float = 2e-3
    """Peak learning rate (1e-4 is usual for SD 1.5)."""
    ema: float = 0.995
    checkpoint_every: int = 250

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        super().__post_init__()
        if not 1 <= self.rank <= 256:
            raise UserError(f"--rank must be 1 to 256, not {self.rank}.")
        if not self.layers:
            raise UserError("--layers must name at least one of attention, feed-forward, convolutions.")


@dataclass(frozen=True, kw_only=True)
class ControlNet(DryRun, Published, SteppedTraining):
    """Settings of a ControlNet's training; the defaults suit the pocket models."""

    base: str = "pocket-sd"
    """Model id that it is for: one that predicts epsilon."""
    images: Path | None = None
    """Folder of captioned pictures (default: drawings of the pocket world)."""
    drawings: int = 24_000
    """Number of drawings, where there is no folder of pictures."""
    controlnets: Path | None = None
    """Folder to publish into (default: the user's)."""
    steps: int = 2_000
    batch: int = 48
    learning_rate: float = 1e-3
    """Peak learning rate (1e-5 is usual for SD 1.5)."""
    ema: float = 0.998


@dataclass(frozen=True, kw_only=True)
class Merge(Published):
    """What is merged into what."""

    teacher: str
    """Model id that is given the style."""
    lora: str = ""
    """Id of the LoRA."""
    delta: Path | None = None
    """Instead of a LoRA, a delta of weights that trainers.delta wrote: the teacher becomes as quick as what
    that was trained to be."""
    strength: float = 1.0
    """How strongly it acts, -2 to 2."""

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range, and unless there is one thing to merge."""
        if bool(self.lora) == bool(self.delta):
            raise UserError("Give either --lora or --delta.")
        if not -2 <= self.strength <= 2:
            raise UserError(f"--strength must be -2 to 2, not {self.strength}.")
