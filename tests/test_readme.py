"""The README says what works: its Python runs as it stands, its commands exist, its test command is the one of CI."""

import re
from pathlib import Path

import pytest

from selfsame.cli import app
from selfsame.core import image

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_ten_lines_of_python_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(block.strip().splitlines()) <= 10
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    shorter = block.replace("steps=20", "steps=4").replace("frames=24", "frames=6")  # the same lines in less time
    assert shorter.count("=4") == shorter.count("=6") == 1
    exec(shorter, names)
    views = names["views"]
    assert tuple(views.shape) == (6, 3, 128, 128)  # type: ignore[attr-defined]
    assert image.load(tmp_path / "ada.png").shape[-1] > 128


def test_continuous_integration_runs_the_test_command_as_written() -> None:
    command = "pip install -q uv && uv run .ci/check"
    assert f"```bash\n{command}\n```" in README
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith(command)


def test_every_command_of_the_table_exists() -> None:
    rows = re.findall(r"^\| `selfsame ([^`]*)`", README, re.MULTILINE)
    assert len(rows) >= 6
    for row in rows:
        node = app
        for word in row.split():
            if not word.islower() or word not in node:
                break
            node = node[word]
        assert node is not app and node.default_command, f"no command for `selfsame {row}`"


def test_links_lead_to_files() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
