"""Labels that cover neither points nor one another."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from tracking.report.charts.palette import INK

AROUND = 5.0  # points kept free around a marker
PLACES = (
    (0, -7, "center", "top"),
    (-7, -4, "right", "top"),
    (-8, 0, "right", "center"),
    (7, -4, "left", "top"),
    (8, 0, "left", "center"),
    (0, 7, "center", "bottom"),
)


def place_labels(
    axes: Axes,
    words: Sequence[str],
    places: Sequence[tuple[float, float]],
    points: tuple[Sequence[float], Sequence[float]],
) -> None:
    """Writes each word beside its place, below if there is room; one that fits nowhere is left out.

    Args:
        axes: with its limits set.
        words: the first and the last come first, those between take what room is left.
        places: of the words, in data coordinates.
        points: x and y of everything that must stay visible, in data coordinates.
    """
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]  # settles the layout
    around = AROUND * axes.figure.dpi / 72
    taken = [
        Bbox([[x - around, y - around], [x + around, y + around]])
        for x, y in axes.transData.transform(list(zip(*points, strict=True)))
    ]
    order = sorted(range(len(words)), key=lambda index: (index not in (0, len(words) - 1), index))
    for index in order:
        box = _write(axes, words[index], places[index], taken)
        taken += [] if box is None else [box]


def _write(axes: Axes, word: str, place: tuple[float, float], taken: Sequence[Bbox]) -> Bbox | None:
    for x, y, across, along in PLACES:
        label: Annotation = axes.annotate(
            word,
            place,
            xytext=(x, y),
            textcoords="offset points",
            ha=across,
            va=along,
            fontsize=8.5,
            color=INK,
            zorder=5,
        )
        label.set_in_layout(False)
        box = label.get_window_extent()
        inside = axes.bbox.containsx(box.x0) and axes.bbox.containsx(box.x1) and axes.bbox.containsy(box.y0)
        if inside and not any(box.overlaps(other) for other in taken):
            return box
        label.remove()
    return None
