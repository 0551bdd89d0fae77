"""The arrows of the house: who may import whom, read from the syntax trees, so none is too deep to be seen.

    app.py -> ui -> actions -> {pipeline, jobs} -> {plugins, registry, schedulers, metrics}
        -> {flow, settings} -> rf_app.{errors, ctrl_c}
    trainers -> rf_app.{flow, settings, schedulers, registry, plugins, metrics, ctrl_c}

An import may skip floors downwards; none goes upwards, none in a circle, and rf_app never imports trainers.
What trainers share lies in trainers.{common, data} and the pocket world: no command is imported.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

FLOORS = (  # from the ground up
    {"errors", "ctrl_c"},
    {"flow", "settings"},
    {"plugins", "registry", "schedulers", "metrics"},
    {"pipeline", "jobs"},
    {"actions"},
    {"ui"},
)
HEIGHT = {part: height for height, parts in enumerate(FLOORS) for part in parts}
# Loading needs a scheduler's class, a plugin the model's card, and a condition map shows the edges measured.
SIDEWAYS = {("registry", "schedulers"), ("plugins", "registry"), ("plugins", "metrics")}
FOR_TRAINERS = {"errors", "ctrl_c", "flow", "settings", "schedulers", "registry", "plugins", "metrics"}
POCKET_COMMANDS = {f"trainers.pocket.{name}" for name in ("judge", "sample", "weights")}
PLANNERS = {  # run the page's recipes by the page's plan
    ("trainers.pocket.weights", "rf_app.jobs.plan"),
    ("trainers.world", "rf_app.jobs.plan"),
    ("trainers.common.chain", "rf_app.jobs.stage"),
}

# Calls that may stand in a module's or a class's assignment: they only make a value.
MAKERS = {"re.compile", "logging.getLogger", "TypeVar", "Path", "tuple", "dict", "frozenset", "enumerate"}
MAKERS |= {"getattr", "field", "partial", "np.array", "Color", "Size", "_assets", "browser", "dict.fromkeys"}
MAKERS |= {"_drawing", "_reflow", "_distillation", "_way", "_of", "set"}
MAKING_METHODS = {"items", "lower", "capitalize", "join", "with_name"}
ONLY = {"TYPE_CHECKING", "__name__ == '__main__'", "sys.argv[:1] == ['-m']"}  # in a command's own process
FLOW_LIBRARIES = {"numpy", "scipy", "torch"}
INPUT_OUTPUT = {"io", "json", "os", "pathlib", "shutil", "socket", "subprocess", "tempfile"}


def sources(root: Path) -> list[Path]:
    """app.py and every file of the two packages."""
    return [
        *root.glob("app.py"),
        *sorted(root.glob("rf_app/**/*.py")),
        *sorted(root.glob("trainers/**/*.py")),
    ]


def module_name(root: Path, file: Path) -> str:
    """`rf_app/flow/path.py` -> `rf_app.flow.path`, `rf_app/flow/__init__.py` -> `rf_app.flow.__init__`."""
    return ".".join(file.relative_to(root).with_suffix("").parts)


def imports(root: Path, file: Path) -> Iterator[str]:
    """Dotted names that `file` imports anywhere, in functions too; relative ones made absolute."""
    package = module_name(root, file).split(".")[:-1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = [*base, *([node.module] if node.module else [])]
            yield from (".".join([*prefix, alias.name]) for alias in node.names)


def is_command(target: list[str]) -> bool:
    """Whether the dotted name is of a trainer's command, `trainers/NAME.py` or one of the pocket family's."""
    own = target[1:2] != ["pocket"] and target[1:2] not in (["common"], ["data"], [])
    return own or ".".join(target[:3]) in POCKET_COMMANDS


def allowed(importer: str, imported: str) -> bool:
    """Whether the module `importer` may import the dotted name `imported`, both of this project."""
    source, target = importer.split("."), imported.split(".")
    if target[0] == "app":
        return False
    if target[0] == "trainers":
        return source[0] == "trainers" and not is_command(target)
    if len(target) == 1:  # rf_app itself is empty: importing it draws no arrow
        return True
    if source[0] == "trainers":
        return target[1] in FOR_TRAINERS or (importer, ".".join(target[:3])) in PLANNERS
    if source[0] == "app":  # the roof: it puts the parts together
        return target[1] in HEIGHT
    if source[1] == "__main__":  # the command line, beside the page
        return HEIGHT[target[1]] < HEIGHT["ui"]
    if source[1] == "__init__":
        return False
    same_part = source[1] == target[1]
    return same_part or (source[1], target[1]) in SIDEWAYS or HEIGHT[target[1]] < HEIGHT[source[1]]


def graph(root: Path) -> dict[str, set[str]]:
    """The modules of the project that each module imports, under TYPE_CHECKING too."""
    files = {module_name(root, file).removesuffix(".__init__"): file for file in sources(root)}

    def module(name: str) -> str:
        """The module that a dotted name is of, or is."""
        return name if name in files or not name else module(name.rpartition(".")[0])

    return {
        name: {module(each) for each in imports(root, file)} & files.keys() for name, file in files.items()
    }


def circles(root: Path) -> list[set[str]]:
    """The sets of modules that reach one another by imports."""
    arrows = graph(root)

    def reached(start: str) -> set[str]:
        found, waiting = set(), [start]
        while waiting:
            news = arrows[waiting.pop()] - found
            found |= news
            waiting += news
        return found

    far = {name: reached(name) for name in arrows}
    found = {frozenset(other for other in far[name] if name in far[other]) for name in far}
    return sorted(map(set, found - {frozenset()}), key=min)


def violations(root: Path) -> list[str]:
    """Every import that goes against an arrow, as `importer -> imported`."""
    return [
        f"{importer} -> {imported}"
        for file in sources(root)
        for importer in [module_name(root, file)]
        for imported in imports(root, file)
        if imported.split(".")[0] in {"app", "rf_app", "trainers"} and not allowed(importer, imported)
    ]


def test_every_import_follows_the_arrows() -> None:
    assert violations(ROOT) == []


def test_no_imports_go_in_a_circle() -> None:
    assert circles(ROOT) == []


def test_a_circle_is_found_under_type_checking_too(tmp_path: Path) -> None:
    for name, line in (
        ("a", "from rf_app.flow import b"),
        ("b", "from rf_app.flow.c import x"),
        ("c", "if TYPE_CHECKING:\n    from .a import y"),
        ("d", "import rf_app.flow.a"),
    ):
        (tmp_path / "rf_app/flow").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"rf_app/flow/{name}.py").write_text(line)
    assert circles(tmp_path) == [{f"rf_app.flow.{name}" for name in "abc"}]


def test_every_part_of_rf_app_has_its_floor() -> None:
    parts = {path.stem for path in (ROOT / "rf_app").iterdir() if path.name[0] not in "._"}
    assert parts <= HEIGHT.keys()


def test_flow_is_mathematics_without_input_or_output() -> None:
    roots = {
        name.split(".")[0] for file in (ROOT / "rf_app/flow").glob("*.py") for name in imports(ROOT, file)
    }
    assert roots - sys.stdlib_module_names - {"rf_app"} <= FLOW_LIBRARIES
    assert not roots & INPUT_OUTPUT


@pytest.mark.parametrize(
    ("file", "line", "found"),
    [
        ("rf_app/flow/path.py", "import rf_app.registry.card", "rf_app.registry.card"),
        ("rf_app/flow/path.py", "from rf_app import pipeline", "rf_app.pipeline"),
        ("rf_app/flow/path.py", "from .. import ui", "rf_app.ui"),
        ("rf_app/pipeline/worker.py", "from ..jobs.store import Store", "rf_app.jobs.store.Store"),
        ("rf_app/jobs/run.py", "from rf_app.actions import grid", "rf_app.actions.grid"),
        ("rf_app/actions/grid.py", "from rf_app.ui.parts import send", "rf_app.ui.parts.send"),
        ("rf_app/schedulers/a.py", "from rf_app.registry import card", "rf_app.registry.card"),
        ("rf_app/errors.py", "from rf_app.flow import path", "rf_app.flow.path"),
        ("rf_app/jobs/run.py", "def f():\n    import trainers.reflow", "trainers.reflow"),
        ("rf_app/__init__.py", "from rf_app import ui", "rf_app.ui"),
        ("rf_app/ui/page.py", "import app", "app"),
        ("trainers/reflow.py", "from app import main", "app.main"),
        ("trainers/reflow.py", "from rf_app.pipeline.worker import Worker", "rf_app.pipeline.worker.Worker"),
        ("app.py", "import trainers", "trainers"),
        ("rf_app/settings/training.py", "from rf_app.flow import path", "rf_app.flow.path"),
        ("rf_app/flow/path.py", "from rf_app.settings import training", "rf_app.settings.training"),
        ("trainers/distill.py", "from trainers.reflow import main", "trainers.reflow.main"),
        ("trainers/distill.py", "from trainers import reflow", "trainers.reflow"),
        ("trainers/common/held_out.py", "from trainers.pairs import main", "trainers.pairs.main"),
        ("trainers/evaluate.py", "import trainers.pocket.judge", "trainers.pocket.judge"),
        ("trainers/reflow.py", "from rf_app.jobs.plan import stages", "rf_app.jobs.plan.stages"),
        ("trainers/pocket/weights.py", "from rf_app.jobs.queue import start", "rf_app.jobs.queue.start"),
    ],
)
def test_an_import_against_an_arrow_is_found(tmp_path: Path, file: str, line: str, found: str) -> None:
    planted = tmp_path / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(line)
    assert violations(tmp_path) == [f"{module_name(tmp_path, planted)} -> {found}"]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("rf_app/ui/app.py", "from rf_app.registry import Registry"),
        ("rf_app/registry/loading.py", "from rf_app.schedulers import RectifiedFlowScheduler"),
        ("rf_app/flow/solvers.py", "from rf_app.flow.path import interpolate"),
        ("rf_app/flow/solvers.py", "from .path import interpolate\nfrom rf_app.errors import UserError"),
        (
            "trainers/reflow.py",
            "import rf_app\nfrom rf_app.settings.training import Reflow\nfrom trainers.common import train",
        ),
        ("trainers/evaluate.py", "from trainers.pocket.world import describe\nimport trainers.data.store"),
        ("trainers/pocket/weights.py", "from rf_app.jobs.plan import stages"),
        ("rf_app/metrics/a.py", "from rf_app.settings.recipes import recipe"),
        ("app.py", "from rf_app.ui.page import build\nimport gradio"),
    ],
)
def test_an_import_along_the_arrows_is_let_through(tmp_path: Path, file: str, line: str) -> None:
    planted = tmp_path / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(line)
    assert violations(tmp_path) == []


def dataclasses_of(root: Path) -> set[str]:
    """The names of the dataclasses of the packages."""
    return {
        node.name
        for file in sources(root)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any("dataclass" in ast.unparse(each) for each in node.decorator_list)
    }


def busy(body: list[ast.stmt], makers: set[str]) -> Iterator[ast.stmt]:
    """The statements of a module or class that do more than import, define and make values."""
    for node in body:
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.Pass)):
            continue
        if isinstance(node, ast.ClassDef):
            yield from busy(node.body, makers)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            lambdas = [each for each in ast.walk(node) if isinstance(each, ast.Lambda)]
            later = {inner for each in lambdas for inner in ast.walk(each.body)}
            calls = [each.func for each in ast.walk(node) if isinstance(each, ast.Call) and each not in later]
            if any(
                ast.unparse(call) not in makers
                and not (isinstance(call, ast.Attribute) and call.attr in MAKING_METHODS)
                for call in calls
            ):
                yield node
        elif isinstance(node, ast.If):
            if ast.unparse(node.test) not in ONLY:
                yield node
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield node


def test_nothing_happens_at_import() -> None:
    """No module of the packages does more at its top level than import, define and make plain values."""
    makers = MAKERS | dataclasses_of(ROOT)
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in sources(ROOT)
        for node in busy(ast.parse(file.read_text(encoding="utf-8")).body, makers)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "models = load('pocket-sd')",
        "texts: list = [path.read_text() for path in files]",
        "class A:\n    home = make_home()",
        "if sys.argv:\n    x = 1",
        "print()",
        "for x in y:\n    pass",
    ],
)
def test_what_happens_at_import_is_found(line: str) -> None:
    assert len(list(busy(ast.parse(line).body, MAKERS))) == 1


def test_settings_and_plans_are_free_of_torch() -> None:
    modules = [
        "rf_app.jobs.plan",
        *(f"rf_app.settings.{f.stem}" for f in (ROOT / "rf_app/settings").glob("*.py")),
    ]
    script = f"import sys, {', '.join(modules)}\nprint(*{{'torch', 'numpy', 'gradio'}} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_the_page_does_without_the_slow_and_noisy_libraries() -> None:
    script = (
        "import sys, rf_app.ui.page\n"
        "print(*{'controlnet_aux', 'lpips', 'timm', 'trainers'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
