"""A set of prepared series, and what a metric packs from it: once per call, not once per tile or round."""

from collections.abc import Callable, Iterable, Iterator, Sequence
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

    def packed(self, pack: Callable[[Sequence[Any]], Packed]) -> Packed:
        """``pack`` of the whole set, computed once."""
        if pack not in self._packed:
            self._packed[pack] = pack(self._items)
        return self._packed[pack]  # type: ignore[no-any-return]

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


def packed(series: Sequence[Any], pack: Callable[[Sequence[Any]], Packed]) -> Packed:
    """``pack(series)``, kept where the sequence is a :class:`PreparedSet`. ``pack`` is a function of a module."""
    return series.packed(pack) if isinstance(series, PreparedSet) else pack(series)
