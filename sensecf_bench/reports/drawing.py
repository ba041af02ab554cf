"""Curves as SVG files, and the check that a file shows what its records say.

Equal records give equal bytes, under one version of matplotlib; another version draws the same points with other bytes.
So a file is not compared with a new drawing: it ends in a seal, the fingerprint of the points and a hash of the bytes
above. A file of other records, and one that was edited, are noticed without drawing anything.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensecf_bench.engine.files import write_atomically
from sensecf_bench.reports.curves import Curves, Line, Values, curves_of, file_name
from sensecf_bench.reports.escaping import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEAL = re.compile(rb"<!-- points (\w+) drawing (\w+) -->\n\Z")
LONGEST_NAME = 30  # characters of a generator's name above its panel

COLUMNS = 4
PANEL = (1.75, 1.45)  # inches
LEFT, RIGHT, BOTTOM, TOP = 0.75, 0.85, 0.65, 0.85  # around all panels
BETWEEN = (1.15, 0.65)  # for the labels of the one to the left, and the title of the one below
LABEL_GAP = 0.1  # of the axis' height, between two labels
# Colours of Okabe and Ito (2008), told apart under every common colour blindness; dash and marker tell the rest.
GENERATOR: dict[str, Any] = {"color": "#0072B2", "marker": "^", "markersize": 4.5, "linewidth": 1.8, "zorder": 4}
STYLES: dict[str, dict[str, Any]] = {
    "full": {"color": "#555555", "linestyle": (0, (1, 1.5)), "linewidth": 1.4},
    "best control": {"color": "#D55E00", "linestyle": (0, (4, 2)), "marker": "s", "markersize": 3.5, "linewidth": 1.2},
    "reduced": {"color": "#000000", "linestyle": "-", "marker": "o", "markersize": 3, "linewidth": 1.0},
}
SETTINGS: Any = {
    "svg.hashsalt": "sensecf-bench",
    "svg.fonttype": "none",  # text stays text, to be searched and read aloud
    "text.parse_math": False,  # a name with dollar signs is a name
    "text.usetex": False,
    "axes.unicode_minus": False,
    "font.size": 8,
}


def write_curves(results: Mapping[str, Any], folder: Path) -> None:
    """Draw the curves of a results document about one dataset beside its page, and take away those of an earlier one."""
    drawings = {folder / c.file: c for c in curves_of(results)}
    for old in _drawings(results["summary"][0]["dataset"], folder) - set(drawings):
        old.unlink()
    for target, curves in drawings.items():
        content = drawn(curves)
        write_atomically(target, lambda p, content=content: p.write_bytes(content))  # type: ignore[misc]


def faults(results: Mapping[str, Any], folder: Path) -> list[str]:
    """One line for each drawing of one dataset that is missing, of other records, edited, or not on its page."""
    drawings = {folder / c.file: c for c in curves_of(results)}
    more = _drawings(results["summary"][0]["dataset"], folder) - set(drawings)
    found = [f"{file.name} {fault}" for file, curves in drawings.items() if (fault := _fault(curves, file))]
    return found + [f"{file.name} is of no record" for file in sorted(more)]


def drawn(curves: Curves) -> bytes:
    """The SVG file of some curves: a panel for each generator."""
    import warnings

    from matplotlib import rc_context, rcdefaults

    with rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that no font here has; the reader's may
        rcdefaults()  # whatever the user's own matplotlibrc says
        with rc_context(SETTINGS):
            picture = _svg(_figure(curves), curves)
    return picture + f"<!-- points {curves.fingerprint} drawing {_hash(picture)} -->\n".encode()


def _drawings(dataset: str, folder: Path) -> set[Path]:
    """Files in a folder that are, or were, curves of a dataset."""
    return {file for scenario in "ABC" if (file := folder / file_name(dataset, scenario)).exists()}


def _fault(curves: Curves, file: Path) -> str:
    if not file.exists():
        return "is not there"
    content = file.read_bytes().replace(b"\r\n", b"\n")
    seal = SEAL.search(content)
    if seal is None:
        return "has no seal"
    if seal[1].decode() != curves.fingerprint:
        return "does not show what its records say"
    return "" if seal[2].decode() == _hash(content[: seal.start()]) else "was edited after it was drawn"


def _hash(picture: bytes) -> str:
    return hashlib.sha256(picture).hexdigest()[:16]


def _svg(figure: Figure, curves: Curves) -> bytes:
    out = io.BytesIO()
    title = f"{visible(curves.dataset)}, scenario {curves.scenario}: F1 against the share of training rows removed"
    figure.savefig(out, format="svg", metadata={"Title": title, "Date": None})
    return out.getvalue()


def _figure(curves: Curves) -> Figure:
    from matplotlib.figure import Figure

    across, down = min(COLUMNS, len(curves.lines)), math.ceil(len(curves.lines) / COLUMNS)
    width = LEFT + across * PANEL[0] + (across - 1) * BETWEEN[0] + RIGHT
    height = TOP + down * PANEL[1] + (down - 1) * BETWEEN[1] + BOTTOM
    figure = Figure(figsize=(width, height))
    limits = _limits(curves)
    for i, line in enumerate(curves.lines):
        row, column = divmod(i, COLUMNS)
        left = LEFT + column * (PANEL[0] + BETWEEN[0])
        bottom = height - TOP - PANEL[1] - row * (PANEL[1] + BETWEEN[1])
        axes = figure.add_axes((left / width, bottom / height, PANEL[0] / width, PANEL[1] / height))
        axes.set_ylim(*limits)
        _panel(axes, curves, line)
    heading = f"{visible(curves.dataset)}, scenario {curves.scenario}"
    figure.text(LEFT / width, 1 - 0.3 / height, heading, fontsize=11, fontweight="bold", va="center")
    figure.text(LEFT / width, 0.2 / height, "% of the training rows removed", va="center")
    figure.text(0.2 / width, 0.5, "F1 of the positive class", rotation=90, ha="center", va="center")
    return figure


def _panel(axes: Axes, curves: Curves, line: Line) -> None:
    x = [100 * r for r in curves.reductions]
    axes.set_title(
        visible(line.name, LONGEST_NAME), color=GENERATOR["color"], fontsize=8.5, fontweight="bold", loc="left"
    )
    references = {"full": curves.full, "best control": curves.best_control, "reduced": curves.reduced}
    mine = [i for i, asked in enumerate(line.asked) if asked]  # a gap is where it failed, not where it was not asked
    own = [x[i] for i in mine]
    mean, low, high = ([_numbers(v)[i] for i in mine] for v in (line.values, line.low, line.high))
    axes.fill_between(own, low, high, color=GENERATOR["color"], alpha=0.18, linewidth=0)
    for name, values in references.items():
        axes.plot(x, _numbers(values), **STYLES[name])
    axes.plot(own, mean, **GENERATOR)
    axes.set_xticks(x)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.tick_params(labelsize=7, length=2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.5)
    _label(axes, {name: _last(values) for name, values in references.items()})


def _label(axes: Axes, ends: Mapping[str, float | None]) -> None:
    """Write what a line is beside its right end, no two labels over each other."""
    low, high = axes.get_ylim()
    known = sorted((y, name) for name, y in ends.items() if y is not None)
    places = _apart([y for y, _ in known], LABEL_GAP * (high - low))
    for place, (_, name) in zip(places, known, strict=True):
        axes.annotate(
            name, (1.04, place), xycoords=("axes fraction", "data"), color=STYLES[name]["color"], fontsize=7, va="center",
            annotation_clip=False,
        )  # fmt: skip


def _apart(wanted: Sequence[float], gap: float) -> list[float]:
    """Places in ascending order, at least `gap` apart and near those wanted, which ascend."""
    places: list[float] = []
    for y in wanted:
        places.append(max(y, places[-1] + gap) if places else y)
    shift = sum(p - y for p, y in zip(places, wanted, strict=True)) / len(places) if places else 0.0
    return [p - shift for p in places]


def _limits(curves: Curves) -> tuple[float, float]:
    """One axis for all panels, so that they can be compared."""
    drawn = [curves.full, curves.reduced, curves.best_control]
    drawn += [values for line in curves.lines for values in (line.values, line.low, line.high)]
    known = [v for values in drawn for v in values if v is not None]
    margin = 0.06 * (max(known) - min(known)) or 0.01
    return min(known) - margin, max(known) + margin


def _numbers(values: Values) -> list[float]:
    return [math.nan if v is None else v for v in values]


def _last(values: Values) -> float | None:
    return next((v for v in reversed(values) if v is not None), None)
