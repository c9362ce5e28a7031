"""No configuration says what nobody reads: each field of each `...Config` is read somewhere in the package."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "selfsame"
TREES = {path: ast.parse(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}
READ = {
    node.attr
    for tree in TREES.values()
    for node in ast.walk(tree)
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
}
FIELDS = [
    f"{cls.name}.{line.target.id}"
    for tree in TREES.values()
    for cls in ast.walk(tree)
    if isinstance(cls, ast.ClassDef) and cls.name.endswith("Config")
    for line in cls.body
    if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
]


@pytest.mark.parametrize("field", FIELDS)
def test_a_config_field_is_read(field: str) -> None:
    assert field.split(".")[1] in READ, f"{field} is written on every card and read nowhere"
