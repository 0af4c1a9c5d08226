"""The table of statements in the documentation is complete, and names tests that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = [line for line in (ROOT / "docs" / "theorems.md").read_text(encoding="utf-8").splitlines() if "`tests/" in line]
NAMED = sorted({name for row in ROWS for name in re.findall(r"`(tests/[^`]+)`", row)})


@pytest.mark.parametrize("name", NAMED)
def test_named_test_exists(name):
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def numbered(paper):
    """The numbered statements in the first column of the table of one paper."""
    text = (ROOT / "docs" / "theorems.md").read_text(encoding="utf-8")
    (part,) = [part for part in text.split("\n## ") if part.startswith(paper)]
    cells = [row.split("|")[1].strip() for row in part.splitlines() if "`tests/" in row]
    found = [re.match(r"(Lemma |Prop\. |Theorem |Corollary )?(\d+(?:\.\d+)?)", cell) for cell in cells]
    return {one[2] if "." in one[2] else one[0] for one in found if one}


def test_every_numbered_statement_of_both_papers_has_its_row():
    shifts = {"Lemma 1", "Lemma 2", "Theorem 1", *(f"Prop. {k}" for k in range(1, 9))}
    assert numbered("Spatio-Temporal Alignments") == shifts
    time_integrated = {
        *(f"2.{k}" for k in range(1, 10)),
        *(f"3.{k}" for k in range(1, 7)),
        "Corollary 1",
        "Corollary 2",
    }
    assert numbered("Time-integrated Optimal Transport") == time_integrated


def test_every_row_of_a_statement_names_a_test():
    lines = (ROOT / "docs" / "theorems.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| statement")]
    assert len(rows) > 30
    assert [row for row in rows if row not in ROWS] == []
