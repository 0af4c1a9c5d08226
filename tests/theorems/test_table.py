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


KIND = r"(Definition|Lemma|Prop\.|Theorem|Corollary|Remark) (\d+(?:\.\d+)?)"


def numbered(paper):
    """The numbered statements in the first column of the table of one paper."""
    text = (ROOT / "docs" / "theorems.md").read_text(encoding="utf-8")
    (part,) = [part for part in text.split("\n## ") if part.startswith(paper)]
    cells = [row.split("|")[1] for row in part.splitlines() if "`tests/" in row]
    return {f"{kind} {number}" for cell in cells for kind, number in re.findall(KIND, cell)}


def test_every_numbered_statement_of_both_papers_has_its_row():
    assert numbered("Spatio-Temporal Alignments") == {
        *(f"Definition {k}" for k in (1, 2, 3)),
        *(f"Prop. {k}" for k in range(1, 9)),
        *("Lemma 1", "Lemma 2", "Corollary 1", "Theorem 1"),
    }
    assert numbered("Time-integrated Optimal Transport") == {
        *(f"Definition {k}" for k in ("1.1", "1.2", "1.3", "2.1", "2.7", "2.8")),
        *("Remark 2.2", "Prop. 2.4", "Corollary 1", "Corollary 2"),
        *(f"Theorem {k}" for k in ("2.3", "2.5", "2.6", "2.9", "3.4", "3.6")),
        *(f"Lemma {k}" for k in ("3.1", "3.2", "3.3", "3.5")),
    }


def test_every_row_of_a_statement_names_a_test():
    lines = (ROOT / "docs" / "theorems.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| statement")]
    assert len(rows) > 40
    assert [row for row in rows if row not in ROWS] == []
    assert not [row for row in rows if "not verified" in row]
