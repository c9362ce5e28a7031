"""Who may import whom: the floors of DESIGN section 2, and what must stay out of light imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "selfsame"
FLOORS = {
    "core": 0,
    "nets": 1,
    "losses": 1,
    "metrics": 1,
    "replay": 1,
    "faces": 1,
    "clips": 1,
    "world": 1,
    "detectors": 1,
    "train": 1,
    "convert": 2,
    "tasks": 2,
    "jobs": 3,
    "commands": 4,
    "cli": 5,
    "__main__": 6,
    "__init__": 6,
}
HEAVY = ("accelerate", "torchvision", "torchmetrics", "facenet_pytorch", "matplotlib", "skimage", "trimesh", "scipy")


def modules() -> dict[str, Path]:
    """Dotted name inside the package ("nets.ops", "cli") of each file."""
    paths = sorted(ROOT.rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}


def imports(path: Path) -> set[str]:
    """Dotted names inside the package that a file imports anywhere, functions included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively, line {node.lineno}"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("selfsame.") for name in found if name.startswith("selfsame.")}


def module_of(name: str) -> str | None:
    """The file that an imported name lives in, None for what stands in the package's own __init__."""
    known = modules()
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        stem = ".".join(parts[:length])
        for candidate in (stem, f"{stem}.__init__"):
            if candidate in known:
                return candidate
    return None


@pytest.mark.parametrize("module", modules())
def test_a_file_imports_only_from_lower_floors(module: str) -> None:
    part = module.split(".")[0]
    assert part in FLOORS, f"{part} has no floor: give it one here, and in the design"
    for name in imports(modules()[module]):
        target = name.split(".")[0]
        if target == part or module_of(name) is None:
            continue
        assert FLOORS[target] < FLOORS[part], f"{module} (floor {FLOORS[part]}) imports {name} (floor {FLOORS[target]})"


def test_no_file_imports_itself_through_others() -> None:
    graph = {m: {t for n in imports(p) if (t := module_of(n)) and t != m} for m, p in modules().items()}
    while free := {m for m, targets in graph.items() if not targets & graph.keys()}:
        graph = {m: targets for m, targets in graph.items() if m not in free}
    assert not graph, f"these import each other in a circle: {sorted(graph)}"


def loaded_after(statement: str) -> set[str]:
    """Top-level packages in memory after a statement in a fresh Python."""
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_package_itself_is_light() -> None:
    heavy = loaded_after("import selfsame") & {"torch", "numpy", "pydantic", "PIL", "cv2", *HEAVY}
    assert not heavy, f"{sorted(heavy)} came with the package"


def test_core_leaves_heavy_packages_alone() -> None:
    core = [f"selfsame.{name.removesuffix('.__init__')}" for name in modules() if name.startswith("core.")]
    heavy = loaded_after(f"import {', '.join(core)}") & set(HEAVY)
    assert not heavy, f"{sorted(heavy)} came with core"
