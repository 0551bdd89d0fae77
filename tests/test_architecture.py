"""The arrows of the house: who may import whom, read from the syntax trees, so none is too deep to be seen.

    app.py -> ui -> actions -> {pipeline, jobs} -> {plugins, registry, schedulers, metrics}
        -> {flow, settings} -> rf_app.errors
    trainers -> rf_app.{flow, settings, schedulers, registry, plugins, metrics}

An import may skip floors downwards; none goes upwards, and rf_app never imports trainers.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

FLOORS = (  # from the ground up
    {"errors"},
    {"flow", "settings"},
    {"plugins", "registry", "schedulers", "metrics"},
    {"pipeline", "jobs"},
    {"actions"},
    {"ui"},
)
HEIGHT = {part: height for height, parts in enumerate(FLOORS) for part in parts}
# Loading needs a scheduler's class, a plugin the model's card, and a condition map shows the edges measured.
SIDEWAYS = {("registry", "schedulers"), ("plugins", "registry"), ("plugins", "metrics")}
FOR_TRAINERS = {"errors", "flow", "settings", "schedulers", "registry", "plugins", "metrics"}
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


def allowed(importer: str, imported: str) -> bool:
    """Whether the module `importer` may import the dotted name `imported`, both of this project."""
    source, target = importer.split("."), imported.split(".")
    if target[0] == "app":
        return False
    if target[0] == "trainers":
        return source[0] == "trainers"
    if len(target) == 1:  # rf_app itself is empty: importing it draws no arrow
        return True
    if source[0] == "trainers":
        return target[1] in FOR_TRAINERS
    if source[0] == "app":  # the roof: it puts the parts together
        return target[1] in HEIGHT
    if source[1] == "__init__":
        return False
    same_part = source[1] == target[1]
    return same_part or (source[1], target[1]) in SIDEWAYS or HEIGHT[target[1]] < HEIGHT[source[1]]


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
        ("rf_app/jobs/run.py", "from rf_app.workflows import grid", "rf_app.workflows.grid"),
        ("rf_app/schedulers/a.py", "from rf_app.registry import card", "rf_app.registry.card"),
        ("rf_app/errors.py", "from rf_app.flow import path", "rf_app.flow.path"),
        ("rf_app/jobs/run.py", "def f():\n    import trainers.reflow", "trainers.reflow"),
        ("rf_app/__init__.py", "from rf_app import ui", "rf_app.ui"),
        ("rf_app/ui/page.py", "import app", "app"),
        ("trainers/reflow.py", "from app import main", "app.main"),
        ("trainers/reflow.py", "from rf_app.pipeline.worker import Worker", "rf_app.pipeline.worker.Worker"),
        ("app.py", "import trainers", "trainers"),
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
            "import rf_app\nfrom rf_app.registry import Registry\nfrom trainers import pairs",
        ),
        ("app.py", "from rf_app.ui.page import build\nimport gradio"),
    ],
)
def test_an_import_along_the_arrows_is_let_through(tmp_path: Path, file: str, line: str) -> None:
    planted = tmp_path / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(line)
    assert violations(tmp_path) == []


def test_nothing_happens_at_import() -> None:
    """No module of the packages does more at its top level than import and define."""
    harmless = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    harmless += (ast.Assign, ast.AnnAssign, ast.If)
    busy = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in sources(ROOT)
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if not isinstance(node, harmless)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
    assert busy == []


def test_the_page_does_without_the_slow_and_noisy_libraries() -> None:
    script = (
        "import sys, rf_app.ui.page\n"
        "print(*{'controlnet_aux', 'lpips', 'timm', 'trainers'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
