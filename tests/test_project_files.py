"""The lock, the declared dependencies, the code's imports and the Space's front matter agree."""

import importlib.metadata
import re
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.test_architecture import ROOT, imports, sources

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DECLARED = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
OPTIONAL = [
    Requirement(line) for lines in PROJECT["project"]["optional-dependencies"].values() for line in lines
]
FOR_TESTS = [Requirement(line) for line in PROJECT["dependency-groups"]["test"]]
PLATFORMS = [("Linux", "linux", "x86_64"), ("Linux", "linux", "aarch64"), ("Darwin", "darwin", "arm64")]


def locked(*files: str) -> list[Requirement]:
    lines = [line for file in files for line in (ROOT / file).read_text().splitlines()]
    return [Requirement(line) for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
@pytest.mark.parametrize(("system", "sys_platform", "machine"), PLATFORMS)
def test_every_declared_dependency_is_locked_once(
    python: str, system: str, sys_platform: str, machine: str
) -> None:
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "platform_system": system,
        "sys_platform": sys_platform,
        "platform_machine": machine,
    }
    pins: dict[str, str] = {}
    for pin in locked("requirements.txt", "requirements-dev.txt"):
        if pin.marker and not pin.marker.evaluate(environment):
            continue
        (version,) = pin.specifier
        assert version.operator == "=="
        assert pins.setdefault(canonicalize_name(pin.name), version.version) == version.version
    for requirement in [*DECLARED, *FOR_TESTS]:
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), str(requirement)


def test_the_lock_names_no_place_no_local_build_and_no_cuda_package() -> None:
    """So pip installs from where it is set to look, and no CPU-only torch meets an ordinary torchvision."""
    for requirement in locked("requirements.txt", "requirements-dev.txt"):
        assert requirement.url is None
        assert "+" not in str(requirement.specifier)
        assert not re.match("nvidia|cuda|triton", requirement.name)


def test_a_space_on_zero_gpu_has_the_same_but_for_torch() -> None:
    theirs = {pin.name: pin for pin in locked("requirements-zero-gpu.txt")}
    assert str(theirs["torch"].specifier) == "==2.11.0"  # the newest that ZeroGPU has
    environment = {"python_version": "3.12", "python_full_version": "3.12.12"}
    for pin in locked("requirements.txt"):
        if not pin.marker or pin.marker.evaluate(environment):
            own = theirs[pin.name].specifier
            assert pin.name in ("torch", "torchvision", "setuptools") or own == pin.specifier
    for requirement in DECLARED:
        assert requirement.specifier.contains(str(theirs[requirement.name].specifier)[2:]), str(requirement)


def test_the_lock_with_hashes_names_the_same_versions() -> None:
    """And the CUDA packages, of which torch brings no hashes."""
    text = (ROOT / "requirements-hashed.txt").read_text()
    entries = [entry for entry in re.split(r"\n(?=\S)", text.strip()) if not entry.startswith("#")]
    hashed = [entry.partition(" \\\n") for entry in entries]
    assert all(re.fullmatch(r"( *--hash=sha256:[0-9a-f]{64}( \\\n)?)+", hashes) for _, _, hashes in hashed)
    ours = [Requirement(line) for line, _, _ in hashed if not re.match("nvidia|cuda|triton", line)]
    assert set(map(str, ours)) == set(map(str, locked("requirements.txt")))


def test_every_imported_library_is_declared() -> None:
    distributions = importlib.metadata.packages_distributions()
    declared = {canonicalize_name(requirement.name) for requirement in [*DECLARED, *OPTIONAL]}
    ours = {"rf_app", "trainers"} | sys.stdlib_module_names
    for file in sources(ROOT):
        libraries = {name.split(".")[0] for name in imports(ROOT, file)} - ours
        for library in libraries:
            owners = {canonicalize_name(owner) for owner in distributions.get(library, [library])}
            assert owners & declared, (
                f"{file.relative_to(ROOT)} imports {library}, which pyproject.toml lacks"
            )


def test_all_that_the_container_makes_is_on_its_volumes() -> None:
    container = (ROOT / "Dockerfile").read_text()
    home = re.search(r"INSTAFLOW_HOME=(\S+)", container)[1]
    assert f'VOLUME ["{home}", "{home}/models"]' in container
    assert "--models" not in container  # LoRAs and uploads lie beside such a folder
    volumes = yaml.safe_load((ROOT / "compose.yaml").read_text())["x-studio"]["volumes"]
    assert volumes == [f"work:{home}", f"models:{home}/models"]


def front_matter(readme: Path) -> dict[str, object]:
    return yaml.safe_load(readme.read_text(encoding="utf-8").split("---\n")[1])


def test_the_space_runs_the_locked_gradio() -> None:
    space = front_matter(ROOT / "README.md")
    (gradio,) = [pin for pin in locked("requirements.txt") if pin.name == "gradio"]
    assert str(gradio.specifier) == f"=={space['sdk_version']}"
    assert (ROOT / str(space["app_file"])).is_file()
    assert len(str(space["short_description"])) <= 60  # the Hub refuses more
