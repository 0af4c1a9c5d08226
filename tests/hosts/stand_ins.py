"""A host's own tests with functions of this package in the place of the host's.

Wherever a module of the host holds one of the functions it gets the stand-in; a test counts only if it calls one.
"""

import collections
import functools
import importlib
import pkgutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


class Suite:
    """A plugin for pytest that notes which tests reach a replaced function, and how they end."""

    def __init__(self, package: str, stand_ins: dict[str, Callable[..., Any]], own: bool) -> None:
        self.package, self.own = package, own
        self.called: set[str] = set()
        self.running: set[str] = set()
        self.ends: dict[str, tuple[str, frozenset[str], str]] = {}
        for name, stand_in in stand_ins.items():
            self._replace(name, stand_in)

    def _replace(self, name: str, stand_in: Callable[..., Any]) -> None:
        modules = [module for key, module in sys.modules.items() if f"{key}.".startswith(f"{self.package}.")]
        originals = {id(vars(m)[name]) for m in modules if callable(vars(m).get(name)) and name in vars(m)}
        for module in modules:
            original = vars(module).get(name)
            if id(original) in originals:
                setattr(module, name, self._noted(name, original if self.own else stand_in))

    def _noted(self, name, function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            self.running.add(name)
            return function(*args, **kwargs)

        return call

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item):
        self.running = set()
        yield

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and self.running:
            reason = "" if report.longrepr is None else str(report.longrepr).strip().splitlines()[-1]
            self.ends[report.nodeid] = (report.outcome, frozenset(self.running), reason)

    def table(self) -> str:
        """A line for each file: tests that reach ours, passed and failed; then every failure with its last line."""
        counts: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
        for nodeid, (outcome, _, _) in self.ends.items():
            counts[nodeid.partition("::")[0]][outcome] += 1
        lines = [f"{file}: {count['passed']} of {sum(count.values())} passed" for file, count in sorted(counts.items())]
        whole = sum(counts.values(), collections.Counter())
        lines.append(f"all: {whole['passed']} of {sum(whole.values())} passed")
        for nodeid, (outcome, names, reason) in sorted(self.ends.items()):
            if outcome == "failed":
                lines.append(f"FAILED {nodeid} ({', '.join(sorted(names))}): {reason[:160]}")
        return "\n".join(lines)


def import_all(package) -> None:
    """Every module of a package, but those that need what is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".tests" not in module.name:
                try:
                    importlib.import_module(module.name)
                except Exception:
                    continue


def run(suite: Suite, folder: Path, arguments: list[str]) -> int:
    """The tests of the arguments, or of the whole folder, and the table of those that reach a replaced function."""
    options = ["-q", "-p", "no:cacheprovider", "--tb=line", f"--rootdir={folder}", "-c", "/dev/null"]
    pytest.main([*options, *(arguments or [str(folder)])], plugins=[suite])
    print(suite.table())
    return 0
