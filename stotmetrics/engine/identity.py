"""Which job a matrix on disk belongs to: a digest of everything that decides its numbers.

The code of a metric that no installed package declares is part of it. Code is read from the functions themselves: their
bytecode and constants, the values they close over, the globals they use, and so on into the functions that they call,
down to the libraries, which count by name and version. What a function itself writes to, a cache or a counter, is not
part of its code, nor is the place where it was defined.
"""

import dataclasses
import dis
import functools
import hashlib
import itertools
import json
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..series import Series
from ..spec import registry
from ..spec.bound import BoundMetric
from ..spec.metric import MetricSpec

Job = dict[str, str]

_OWN = __name__.partition(".")[0]

# The functions of a spec that decide the numbers of a matrix.
_DECIDING = ("pair", "prepare", "block")

# Methods by which a function writes to a container.
_WRITES = frozenset(
    [
        "append",
        "extend",
        "insert",
        "remove",
        "pop",
        "popitem",
        "clear",
        "update",
        "setdefault",
        "add",
        "discard",
        "sort",
        "reverse",
        "appendleft",
        "move_to_end",
        "subtract",
        "__setitem__",
        "write",
    ]
)


def job_of(metric: BoundMetric, sets: Sequence[Sequence[Series]]) -> Job:
    """What decides the numbers of a matrix, each under the name that an error calls it."""
    return {
        "metric": metric.name,
        "parameters": _digest(metric.config()["params"], metric.params),
        "traits": _digest(metric.traits),
        "code of the metric": code_of(metric.spec),
        "version of stotmetrics": sys.modules[_OWN].__version__,
        "series": " ".join(fingerprint(series) for series in sets),
    }


def digest_of(job: Job) -> str:
    """One digest for the whole job."""
    return hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()


def differences(job: Job, other: Job) -> str:
    """What two jobs do not have in common, in words."""
    names = sorted(name for name in job.keys() | other.keys() if job.get(name) != other.get(name))
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def fingerprint(series: Sequence[Series]) -> str:
    """A digest of some series: values, times, weights of times and of paths, shapes of frames."""
    digest = hashlib.sha256()
    for member in series:
        times = member.times if member.has_times else None
        weights = member.weights if member.has_weights else None
        absent = (times is None, weights is None, member.path_weights is None)
        digest.update(repr((member.values.shape, member.frame_shape, absent)).encode())
        for array in (member.values, times, weights, member.path_weights):
            if array is not None:
                digest.update(array.tobytes())
    return digest.hexdigest()


def code_of(spec: MetricSpec) -> str:
    """A digest of the code of a metric; for a metric of a package with the version of its distribution."""
    functions = [getattr(spec, name) for name in _DECIDING]
    return _digest(registry.owner_of(spec), *functions)


def _digest(*values: Any) -> str:
    walk = _Walk()
    for value in values:
        walk.see(value)
    return walk.digest.hexdigest()


class _Walk:
    """A walk over values and the code they hold, which feeds a digest; what was seen before is a reference."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self._seen: dict[int, int] = {}
        # Objects made on the way must live on: their identity is their address.
        self._alive: list[Any] = []
        self._opened: set[tuple[int, int]] = set()

    def see(self, value: Any) -> None:
        """Feed a value to the digest."""
        if value is None or value is Ellipsis or isinstance(value, (bool, int, float, complex, str, bytes)):
            if type(value).__module__ == "builtins":
                self._say("plain", type(value).__name__, repr(value))
                return
        if type(value) is tuple:  # no identity that counts, and no circle without something else in it
            self._parts("tuple", *value)
            return
        if id(value) in self._seen:
            self._say("seen", self._seen[id(value)])
            return
        self._seen[id(value)] = len(self._seen)
        self._alive.append(value)
        self._enter(value)

    def _say(self, *words: object) -> None:
        text = "\x1f".join(map(str, words)).encode("utf-8", "surrogatepass")
        self.digest.update(b"%d:%b" % (len(text), text))

    def _enter(self, value: Any) -> None:
        if isinstance(value, types.CodeType):
            self._code(value)
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, types.MethodType):
            self._parts("method", value.__func__)
            self._object(value.__self__, ("__call__", value.__name__))
        elif isinstance(value, types.ModuleType):
            self._say("module", *_version_of(value.__name__))
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
            self._say("array", value.dtype.str, value.shape)
            self.digest.update(np.ascontiguousarray(value).tobytes())
        elif type(value) is list:
            self._parts("list", *value)
        elif type(value) in (set, frozenset):
            self._say(type(value).__name__, *sorted(_digest(item) for item in value))
        elif type(value) is dict:
            self._parts("dict", *(part for item in value.items() for part in item))
        elif isinstance(value, functools.partial):
            self._parts("partial", value.func, value.args, value.keywords)
        elif isinstance(value, (classmethod, staticmethod)):
            self._parts(type(value).__name__, value.__func__)
        elif isinstance(value, property):
            self._parts("property", value.fget)
        elif isinstance(wrapped := _inner(value), types.FunctionType):
            self._parts(type(value).__qualname__, wrapped)
        else:
            self._object(value)

    def _parts(self, kind: str, *parts: Any) -> None:
        self._say(kind, len(parts))
        for part in parts:
            self.see(part)

    def _function(self, function: types.FunctionType) -> None:
        # A wrapper calls itself by the module of what it wraps; its globals are where it was written.
        module = function.__globals__.get("__name__")
        if _is_installed(module):
            self._say("function", *_version_of(module), function.__qualname__)
            self._inputs(function, closure_only=True)
            return
        self._say("function")
        self.see(function.__code__)
        self._inputs(function)

    def _inputs(self, function: types.FunctionType, *, closure_only: bool = False) -> None:
        """What a function reads besides its arguments."""
        written = _written_names(function.__code__)
        self._parts("defaults", function.__defaults__, function.__kwdefaults__)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            if name not in written:
                self._say("closure", name)
                self.see(_content(cell))
        if closure_only:
            return
        for name in _global_names(function.__code__):
            if name in function.__globals__ and name not in written:
                self._say("global", name)
                self._global(function.__globals__[name], function.__code__)

    def _global(self, value: Any, code: types.CodeType) -> None:
        self.see(value)
        # Of a module of one's own only what is used counts.
        if isinstance(value, types.ModuleType) and not _is_installed(value.__name__):
            if (id(value), id(code)) in self._opened:
                return
            self._opened.add((id(value), id(code)))
            for name in _attribute_names(code):
                if name in vars(value):
                    self._say("attribute", name)
                    self._global(vars(value)[name], code)

    def _code(self, code: types.CodeType) -> None:
        self._say("code", code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        self._say(code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        self.digest.update(code.co_code + code.co_exceptiontable)
        self._parts("constants", *code.co_consts)

    def _class(self, kind: type) -> None:
        self._say("class", *_version_of(kind.__module__), kind.__qualname__)
        if _is_installed(kind.__module__):
            return
        self._parts("bases", *kind.__bases__)
        for name, member in sorted(vars(kind).items()):
            if name not in (
                "__dict__",
                "__weakref__",
                "__doc__",
                "__module__",
                "__firstlineno__",
                "__static_attributes__",
            ):
                self._say("member", name)
                self.see(member)

    def _object(self, value: Any, called: tuple[str, ...] = ("__call__",)) -> None:
        self.see(type(value))
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if isinstance(module, str) and isinstance(name, str):  # a function of compiled code
            self._say("compiled", *_version_of(module), name)
            return
        state = _state(value)
        if state is not None:
            written = _written_attributes(type(value), called)  # type: ignore[arg-type]  # classes are hashable
            for attribute, part in sorted(state.items()):
                if attribute not in written:
                    self._say("attribute", attribute)
                    self.see(part)
            if not isinstance(value, (list, dict, tuple, set, frozenset, str, bytes, int, float)):
                return
        self._reduced(value)

    def _reduced(self, value: Any) -> None:
        try:
            reduced = value.__reduce_ex__(2)
        except Exception:  # a lock, an open file: nothing that could be read
            return
        if isinstance(reduced, str):
            self._say("name", reduced)
            return
        self._parts("reduced", *(tuple(part) if isinstance(part, Iterator) else part for part in reduced))


def _inner(value: Any) -> Any:
    """The Python function inside a decorated or compiled one."""
    for name in ("py_func", "__wrapped__"):
        inner = getattr(value, name, None)
        if isinstance(inner, types.FunctionType):
            return inner
    return None


def _inner_or_self(value: Any) -> Any:
    inner = _inner(value)
    return value if inner is None else inner


def _state(value: Any) -> dict[str, Any] | None:
    """The attributes of an object that is made of Python attributes."""
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    if hasattr(value, "__dict__") and "__reduce_ex__" not in _overridden(type(value)):
        return dict(vars(value))
    return None


def _overridden(kind: type) -> set[str]:
    return {name for base in kind.__mro__ if base is not object for name in vars(base)}


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _instructions(code: types.CodeType) -> list[dis.Instruction]:
    # Marks of the interpreter's own, which stand between what belongs together.
    skip = ("CACHE", "EXTENDED_ARG", "PRECALL", "COPY_FREE_VARS", "RESUME", "PUSH_NULL", "NOT_TAKEN")
    return [
        instruction
        for part in _nested(code)
        for instruction in dis.get_instructions(part)
        if instruction.opname not in skip
    ]


@cache
def _global_names(code: types.CodeType) -> tuple[str, ...]:
    return _names(code, lambda op: op in ("LOAD_GLOBAL", "LOAD_NAME"))


@cache
def _attribute_names(code: types.CodeType) -> tuple[str, ...]:
    return _names(code, lambda op: op in ("LOAD_ATTR", "LOAD_METHOD"))


def _names(code: types.CodeType, wanted: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(sorted({step.argval for step in _instructions(code) if wanted(step.opname)}))


@cache
def _written_names(code: types.CodeType) -> frozenset[str]:
    """Variables from outside that the code itself assigns, or writes to as containers."""
    steps = _instructions(code)
    assigned = {step.argval for step in steps if step.opname in ("STORE_DEREF", "STORE_GLOBAL")}
    return frozenset(assigned) | _filled(steps, ("LOAD_DEREF", "LOAD_GLOBAL", "LOAD_NAME"))


@cache
def _written_attributes(kind: type, called: tuple[str, ...]) -> frozenset[str]:
    """Attributes of its own instances that these methods write to, or the methods that they call."""
    names: set[str] = set()
    queue, known = list(called), set(called)
    while queue:
        function = _inner_or_self(getattr(kind, queue.pop(), None))
        if not isinstance(function, types.FunctionType):
            continue
        steps = _instructions(function.__code__)
        names |= {step.argval for step in steps if step.opname == "STORE_ATTR"} | _filled(steps, ("LOAD_ATTR",))
        fresh = set(_attribute_names(function.__code__)) - known
        known |= fresh
        queue += fresh
    return frozenset(names)


def _filled(steps: list[dis.Instruction], loads: tuple[str, ...]) -> frozenset[str]:
    """Names of containers that are written to: ``name[...] = ...``, ``name.append(...)``."""
    changed = {
        step.argval
        for step, following in itertools.pairwise(steps)
        if step.opname in loads and following.opname in ("LOAD_METHOD", "LOAD_ATTR") and following.argval in _WRITES
    }
    # An item that is stored begins at the same place of the source as its container.
    stored = {_place(step) for step in steps if step.opname in ("STORE_SUBSCR", "DELETE_SUBSCR")}
    return frozenset(changed) | {step.argval for step in steps if step.opname in loads and _place(step) in stored}


def _place(step: dis.Instruction) -> tuple[int | None, int | None]:
    at = step.positions
    return (None, step.offset) if at is None else (at.lineno, at.col_offset)


@cache
def _version_of(name: str) -> tuple[str, ...]:
    """The name of a module, and its version: of an installed package its own, else the content of its file."""
    top = sys.modules.get(name.partition(".")[0])
    version = getattr(top, "__version__", None)
    if _is_installed(name):
        return (name, str(version) if isinstance(version, str) else _python())
    path = getattr(sys.modules.get(name), "__file__", None)
    if path is not None and not path.endswith(".py") and Path(path).is_file():  # compiled: no code to walk
        return name, hashlib.sha256(Path(path).read_bytes()).hexdigest()
    # Where it lives is not what it does: a module of one's own counts by what is used of it.
    return ("",)


def _python() -> str:
    return ".".join(map(str, sys.version_info[:2]))


@cache
def _is_installed(name: str | None) -> bool:
    """Whether a module belongs to Python, to an installed package or to this one: it then counts by its version."""
    top = (name or "").partition(".")[0]
    if top == "__main__":  # the session, whichever program started it
        return False
    if top in (_OWN, "builtins") or top in sys.stdlib_module_names:
        return True
    path = getattr(sys.modules.get(top), "__file__", None)
    if path is None:
        return False
    return any(Path(path).is_relative_to(folder) for folder in _library_folders())


@cache
def _library_folders() -> Iterable[str]:
    paths = sysconfig.get_paths()
    return tuple({paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")})
