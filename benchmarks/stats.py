"""Counts of the product code: files, lines, comments, docstrings, functions, for each of the three roots and in all.

    python benchmarks/stats.py                                   # the table
    python benchmarks/stats.py --files 390 --median 110 200 --longest 400   # exit status 1 if a limit is exceeded

The product code is the `.py` of proto, services and orchestrator without generated stubs. A line counts as a comment
if it has nothing else; docstring lines are those of module, class and function docstrings.
"""

from __future__ import annotations

import argparse
import ast
import io
import statistics
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOTS = ("proto", "services", "orchestrator")
HERE = Path(__file__).parents[1]
HEADINGS = (
    f"{'':14}{'files':>6}{'lines':>8}{'median':>8}{'p90':>6}{'max':>6}{'under 40':>11}{'comments':>11}"
    f"{'docstrings':>11}{'function':>9}{'max':>6}"
)


@dataclass(frozen=True, slots=True)
class FileStats:
    """One file.

    Attributes:
        functions: length of each function in lines, decorators left out.
    """

    path: Path
    lines: int
    comments: int
    docstrings: int
    functions: tuple[int, ...]


def product_files(root: Path) -> Iterator[Path]:
    """The `.py` files of a root in order, without generated stubs."""
    yield from sorted(path for path in root.rglob("*.py") if "_pb2" not in path.name)


def stats_of(path: Path) -> FileStats:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    rows = text.splitlines()
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = sum(t.type == tokenize.COMMENT and rows[t.start[0] - 1].lstrip().startswith("#") for t in tokens)
    docstrings, functions = 0, []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                docstrings += (first.end_lineno or first.lineno) - first.lineno + 1
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.append((node.end_lineno or node.lineno) - node.lineno + 1)
    return FileStats(path, len(rows), comments, docstrings, tuple(functions))


def row(name: str, files: list[FileStats]) -> str:
    """One line of the table."""
    sizes = [file.lines for file in files]
    lines = sum(sizes)
    functions = [length for file in files for length in file.functions]
    p90 = statistics.quantiles(sizes, n=10)[-1]
    return (
        f"{name:14}{len(files):6}{lines:8}{statistics.median(sizes):8.0f}{p90:6.0f}{max(sizes):6}"
        f"{100 * sum(size < 40 for size in sizes) / len(files):9.0f} %"
        f"{100 * sum(file.comments for file in files) / lines:9.1f} %"
        f"{100 * sum(file.docstrings for file in files) / lines:9.1f} %"
        f"{statistics.median(functions):9.0f}{max(functions):6}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, help="maximum number of files")
    parser.add_argument(
        "--median", type=int, nargs=2, metavar=("LOW", "HIGH"), help="range of the median file, in lines"
    )
    parser.add_argument("--longest", type=int, help="maximum lines of a file")
    arguments = parser.parse_args()
    by_root = {root: [stats_of(path) for path in product_files(HERE / root)] for root in ROOTS}
    every = [file for files in by_root.values() for file in files]
    print(HEADINGS)
    for root, files in by_root.items():
        print(row(root, files))
    print(row("all", every))
    faults = []
    if arguments.files is not None and len(every) > arguments.files:
        faults.append(f"{len(every)} files, at most {arguments.files}")
    median = statistics.median(file.lines for file in every)
    if arguments.median is not None and not arguments.median[0] <= median <= arguments.median[1]:
        faults.append(f"the median file has {median:g} lines, not {arguments.median[0]} to {arguments.median[1]}")
    if arguments.longest is not None:
        long = [file for file in every if file.lines > arguments.longest]
        faults += [
            f"{file.path.relative_to(HERE)} has {file.lines} lines, at most {arguments.longest}" for file in long
        ]
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
