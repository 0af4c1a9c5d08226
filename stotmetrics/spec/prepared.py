"""A set of prepared series, and what a metric packs from it: once per call, not once per tile or round."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, overload

Packed = TypeVar("Packed")


class PreparedSet(Sequence[Any]):
    """An immutable sequence of prepared series that keeps what ``packed`` computes from them.

    Examples
    --------
    >>> from stotmetrics.spec.prepared import PreparedSet, packed
    >>> numbers = PreparedSet([1, 2, 3])
    >>> packed(numbers, sum)
    6
    """

    __slots__ = ("_items", "_packed")

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = tuple(items)
        self._packed: dict[Any, Any] = {}

    def packed(self, pack: Callable[..., Packed], *options: Hashable) -> Packed:
        """``pack(self, *options)``, computed once."""
        return self.kept((pack, *options), lambda: pack(self, *options))

    def kept(self, key: Hashable, make: Callable[[], Packed]) -> Packed:
        """What ``make()`` makes of the set, once for each key; two threads that ask at once may both make it."""
        if key not in self._packed:
            self._packed[key] = make()
        return self._packed[key]  # type: ignore[no-any-return]

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> "PreparedSet": ...
    def __getitem__(self, index: int | slice) -> Any:
        return PreparedSet(self._items[index]) if isinstance(index, slice) else self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker packs for itself: cheaper than to send everything twice.
        return PreparedSet, (self._items,)


def packed(series: Sequence[Any], pack: Callable[..., Packed], *options: Hashable) -> Packed:
    """``pack(series, *options)``, kept where the sequence is a :class:`PreparedSet`; a function of a module."""
    return series.packed(pack, *options) if isinstance(series, PreparedSet) else pack(series, *options)
