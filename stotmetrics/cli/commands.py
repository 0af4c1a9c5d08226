"""The commands that need no labels: list · show · dist · matrix · plot · check."""

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import api, datasets
from ..arrays import FloatArray
from ..datasets import DataFileError
from ..engine.matrix_shards import merge_shards, shard_path
from ..errors import InvalidParameterError, MetricLoadError
from ..series import Series, as_series
from ..spec import registry
from ..spec.traits import Traits
from .options import bound, params
from .progress import progress
from .terminal import check_folder, one_line, write_text
from .voting import table

# What matplotlib writes without help from outside.
PICTURES = (".png", ".svg", ".pdf")


def list_metrics(options: argparse.Namespace) -> None:
    """List the metrics that are installed, with what provides them."""
    rows = []
    for entry in registry.catalogue():
        about = f"broken: {one_line(entry.error)}" if entry.spec is None else entry.spec.summary
        rows.append((entry.name, entry.distribution, about))
    print("\n".join(table(rows)))


def show(options: argparse.Namespace) -> None:
    """Show what a metric measures, its parameters with their ranges, and what it claims at these parameters."""
    metric = bound(options)
    spec = metric.spec
    print(f"{spec.name}: {spec.summary}")
    known = spec.parameters
    if known:
        print("\nparameters")
        rows = [(name, f"= {getattr(metric.params, name)!r}", known[name].wants, known[name].doc) for name in known]
        print("\n".join(f"  {line}" for line in table(rows)))
    print("\ntraits")
    for line in table(list(_claims(metric.traits))):
        print(f"  {line}")
    offers = [field.name for field in dataclasses.fields(spec) if field.default is None and getattr(spec, field.name)]
    print(f"\noffers    {', '.join(['pair', *offers])}")
    if spec.citation:
        print(f"citation  {spec.citation}")


def dist(options: argparse.Namespace) -> None:
    """Print the distance between two series."""
    metric = bound(options)
    x, y = (_series(source, name) for source, name in ((options.a, "A"), (options.b, "B")))
    with progress(options, metric.name):
        value = metric(x, y)
    print(repr(value))


def matrix(options: argparse.Namespace) -> None:
    """Write the matrix of all distances within a set of series, or from each of one set to each of another.

    As a .npy file or a Zarr store, which a run that was stopped goes on with, or as comma-separated values. Array jobs
    do a share each, with --shard, and --merge puts the shares together.
    """
    path = None if options.out is None or str(options.out) == "-" else options.out
    if path is not None:
        kind = path.suffix.lower()
        if kind not in (".npy", ".zarr", ".csv"):
            raise InvalidParameterError(
                f"--out must end in .npy, .zarr or .csv, or be - for the standard output; got {path}"
            )
        check_folder(path, folder_too=kind == ".zarr")
    binary = path is not None and path.suffix.lower() != ".csv"
    if not binary:
        _refuse_for_text(options)
    if options.merge:
        _merge(options)
        return
    if options.file is None:
        raise InvalidParameterError("TRAIN is missing: the file with the series, or --merge to put shards together")
    metric = bound(options)
    X = datasets.load_collection(options.file)
    Y = None if options.other is None else datasets.load_collection(options.other)
    written = path if options.shard is None or path is None else shard_path(path, *options.shard)
    with progress(options, metric.name) as bar:
        try:
            D = api.pairwise(
                X,
                Y,
                metric=metric,
                n_jobs=options.n_jobs,
                progress=bar or False,
                out=path if binary else None,
                overwrite=options.overwrite,
                condensed=options.condensed,
                dtype=options.dtype,
                max_memory=options.max_memory,
                shard=options.shard,
            )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(*_way_on(written if binary else None)) from None
    if path is None:
        for line in csv_lines(D):
            sys.stdout.write(line)
        return
    if not binary:
        write_text(path, "".join(csv_lines(D)))
    which = "distances" if options.shard is None else "entries of shard {} of {}".format(*options.shard)
    if options.shard is not None and written == path:
        which = f"distances, {which}"
    print(f"{written}: {' x '.join(map(str, D.shape))} {which}, {metric!r}")


def _merge(options: argparse.Namespace) -> None:
    if options.file is not None or options.shard is not None:
        raise InvalidParameterError("--merge takes --out alone, the file that the shards were made for")
    with progress(options, "merge") as bar:
        try:
            D = merge_shards(options.out, overwrite=options.overwrite, progress=bar or False)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(*_way_on(options.out)) from None
    print(f"{options.out}: {' x '.join(map(str, D.shape))} distances")


def _refuse_for_text(options: argparse.Namespace) -> None:
    for name in ("condensed", "dtype", "shard", "merge"):
        if getattr(options, name):
            raise InvalidParameterError(f"--{name} is for a matrix on disk; pass --out D.npy")


def plot(options: argparse.Namespace) -> None:
    """Draw two series and how a metric matches them: links, the cost matrix, the expected alignment, or TiOT's weight.

    The ending of the file decides its format: .png, .svg or .pdf.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MetricLoadError("pictures need matplotlib: pip install 'stotmetrics[plot]'") from error
    from .. import plotting

    path: Path = options.out
    if path.suffix.lower() not in PICTURES:
        raise InvalidParameterError(f"--out must end in {', '.join(PICTURES)}; got {path}")
    check_folder(path)
    metric = bound(options)
    x, y = (_series(source, name) for source, name in ((options.a, "A"), (options.b, "B")))
    # No window is opened, so no display is needed.
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    with progress(options, metric.name):
        if options.kind == "weight":
            plotting.plot_weight(x, y, metric.name, ax=axes, **params(options))
            value = metric(x, y)
        else:
            result = metric.solve(x, y)
            value = result.value
            plotting.plot_result(result, options.kind, ax=axes, **_only_channel(options))
    figure.suptitle(f"{metric.name} = {value:.4g}")
    figure.savefig(path, dpi=150)
    print(f"{path}: {metric!r} = {value!r}")


def _only_channel(options: argparse.Namespace) -> dict[str, int]:
    return {} if options.channel is None else {"channel": options.channel}


def check(options: argparse.Namespace) -> int:
    """Check by properties whether a metric keeps what it claims. The status is 1 if it does not."""
    try:
        from ..testing import report
    except ImportError as error:
        if error.name not in ("hypothesis", "pytest"):
            raise
        raise MetricLoadError(f"the checks need {error.name}: pip install 'stotmetrics[test]'") from error
    if ":" not in options.metric:
        bound(options)
    how = {name: getattr(options, name) for name in ("max_examples", "max_length", "seed")}
    with progress(options, options.metric):
        kept = report(options.metric, params=params(options), **how)
    return 0 if kept else 1


def csv_lines(D: FloatArray) -> Iterator[str]:
    """A line for each row, every number with the digits that it takes to read it back.

    Examples
    --------
    >>> import numpy as np
    >>> from stotmetrics.cli.commands import csv_lines
    >>> list(csv_lines(np.array([[0.0, 0.1]])))
    ['0.0,0.1\\n']
    """
    for row in D:
        yield ",".join(map(repr, row.tolist())) + "\n"


def _way_on(path: Path | None) -> list[str]:
    """After Ctrl-C: what is kept."""
    if path is None or not path.with_name(path.name + ".journal").exists():
        return []
    return [f"- what is done is in {path}, and the same command goes on from there"]


def _series(source: str, name: str) -> Series:
    try:
        parts = datasets.load_series(source)
    except RecursionError:
        raise DataFileError(f"{name} nests lists too deeply; a series has three levels at most") from None
    return as_series(parts.pop("values"), name=name, **parts)


def _claims(traits: Traits) -> Iterator[tuple[str, str]]:
    for name in Traits.__slots__:
        value = getattr(traits, name)
        yield name, {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
