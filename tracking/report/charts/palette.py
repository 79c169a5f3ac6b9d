"""Colours: one sequence for K, one set of distinct hues for everything else, and what each is in the dark.

The hues are those of Okabe and Ito (2008) without black and yellow; the sequence follows *plasma*. Both are
told apart with any colour vision. A figure is written in the colours of the light theme; the page puts those
of ``dark`` in their place.
"""

from collections.abc import Iterable

INK, MUTED, GRID, PAPER, AXIS, OTHERS = "#1c2430", "#5f6875", "#e7eaef", "#ffffff", "#c3c9d2", "#9aa3af"
HUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star")
TAKEN = HUES[1]  # what is recommended
_DARK = {
    INK: "#e7eaf0",
    MUTED: "#9ba5b4",
    GRID: "#2a313b",
    PAPER: "#14181f",
    AXIS: "#4a5361",
    OTHERS: "#7b8594",
    **dict(zip(HUES, ("#4ba3e3", "#ff8a3d", "#2cc79b", "#e39cc3", "#f2b632", "#a5dcff"), strict=True)),
}
Stops = tuple[tuple[int, int, int], ...]
_SEQUENCE: Stops = ((0xF6, 0x8F, 0x44), (0xCC, 0x47, 0x78), (0x7E, 0x03, 0xA8), (0x22, 0x0A, 0x78))
_SEQUENCE_IN_THE_DARK: Stops = (
    (0x8F, 0x6B, 0xD8),
    (0xD0, 0x6F, 0xB0),
    (0xF7, 0x9A, 0x6A),
    (0xFB, 0xE0, 0x8A),
)


def k_colours(num_samples: tuple[int, ...]) -> dict[int, str]:
    """A colour for every K, by its rank: the largest stands out most."""
    return {k: sequential(share) for k, share in _shares(num_samples).items()}


def _shares(num_samples: tuple[int, ...]) -> dict[int, float]:
    last = max(1, len(num_samples) - 1)
    return {k: rank / last for rank, k in enumerate(sorted(num_samples))}


def k_legend(num_samples: tuple[int, ...], most: int = 9) -> set[int]:
    """The K's that the legend names: all, or ``most`` of them, smallest and largest included."""
    if len(num_samples) <= most:
        return set(num_samples)
    ordered, last = sorted(num_samples), len(num_samples) - 1
    return {ordered[round(step * last / (most - 1))] for step in range(most)}


def sequential(share: float, stops: Stops = _SEQUENCE) -> str:
    """The colour at ``share`` in [0, 1] of the sequence, as ``#rrggbb``."""
    place = share * (len(stops) - 1)
    index = min(int(place), len(stops) - 2)
    mixed = (
        round(low + (high - low) * (place - index))
        for low, high in zip(stops[index], stops[index + 1], strict=True)
    )
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


SCALE_SHARES = tuple(step / 4 for step in range(5))


def colour_scale() -> list[list[object]]:
    """The sequence as a plotly colour scale, which stands out where the value is low."""
    return [[share, sequential(1 - share)] for share in SCALE_SHARES]


def dark(tables: Iterable[tuple[int, ...]]) -> dict[str, str]:
    """The dark theme's colour for each of the light theme's.

    Args:
        tables: the K's of each table that is drawn.
    """
    shares = {*SCALE_SHARES, *(share for ks in tables for share in _shares(ks).values())}
    return {
        **_DARK,
        **{sequential(share): sequential(share, _SEQUENCE_IN_THE_DARK) for share in sorted(shares)},
    }


def faint(colour: str, opacity: float) -> str:
    """A ``#rrggbb`` colour with an opacity, for CSS and plotly."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
