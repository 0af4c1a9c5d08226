"""POT's own tests with the functions of ``stotmetrics.transport`` in the place of its own.

``python tests/hosts/pot_suite.py FOLDER`` takes the ``test`` folder of POT's repository. Wherever a module of POT holds
a function whose name is one of ours it gets ours; a test counts only if it calls one. Tests that fail under POT's own
functions too, since the folder is of another version than the installed package, are told apart by ``--own``, which
replaces nothing.
"""

import collections
import functools
import importlib
import pkgutil
import sys
import warnings
from pathlib import Path

import ot
import pytest

from stotmetrics import transport


class Suite:
    """A plugin for pytest that notes which tests reach a replaced function, and how they end."""

    def __init__(self, own: bool) -> None:
        self.own = own
        self.called: set[str] = set()
        self.running: set[str] = set()
        self.ends: dict[str, tuple[str, frozenset[str], str]] = {}
        for name in transport.__all__:
            self._replace(name)

    def _replace(self, name: str) -> None:
        modules = [module for key, module in sys.modules.items() if key == "ot" or key.startswith("ot.")]
        originals = {id(vars(m)[name]) for m in modules if callable(vars(m).get(name)) and name in vars(m)}
        for module in modules:
            original = vars(module).get(name)
            if id(original) in originals:
                setattr(module, name, self._noted(name, original if self.own else getattr(transport, name)))

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


def main(arguments: list[str]) -> int:
    own = "--own" in arguments
    rest = [argument for argument in arguments if argument != "--own"]
    folder = Path(rest[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in pkgutil.walk_packages(ot.__path__, "ot."):
            try:
                importlib.import_module(module.name)
            except ImportError:  # parts of POT that need what is not installed
                continue
    suite = Suite(own)
    options = ["-q", "-p", "no:cacheprovider", "--tb=line", f"--rootdir={folder}", "-c", "/dev/null"]
    pytest.main([*options, *(rest[1:] or [str(folder)])], plugins=[suite])
    print(suite.table())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
