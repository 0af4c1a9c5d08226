from collections.abc import Callable, Mapping, Sequence
from typing import Any

from typing_extensions import disjoint_base

class Stopped(Exception): ...  # noqa: N818 -- how a call ends that was given up, not a fault

@disjoint_base
class Stop:
    def ask(self) -> None: ...
    def run(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any: ...
