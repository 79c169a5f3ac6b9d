"""Colours: one sequence for K from light to dark, one set of distinct hues for everything else."""

INK, MUTED, GRID, PAPER = "#1c2430", "#66707f", "#e7eaef", "#ffffff"
HUES = ("#2b6cb0", "#d9822b", "#2f9e74", "#b83280", "#7353ba", "#8a6d3b", "#1c9bb5", "#c0392b")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
_SEQUENCE = ((0xF2, 0xA6, 0x5A), (0xD9, 0x4F, 0x70), (0x7B, 0x2D, 0x8B), (0x23, 0x1B, 0x5E))


def k_colours(num_samples: tuple[int, ...]) -> dict[int, str]:
    """A colour for every K, by its rank: the largest is the darkest."""
    last = max(1, len(num_samples) - 1)
    return {k: sequential(rank / last) for rank, k in enumerate(sorted(num_samples))}


def k_legend(num_samples: tuple[int, ...], most: int = 9) -> set[int]:
    """The K's that the legend names: all, or ``most`` of them, smallest and largest included."""
    if len(num_samples) <= most:
        return set(num_samples)
    ordered, last = sorted(num_samples), len(num_samples) - 1
    return {ordered[round(step * last / (most - 1))] for step in range(most)}


def sequential(share: float) -> str:
    """The colour at ``share`` in [0, 1] of the sequence, as ``#rrggbb``."""
    place = share * (len(_SEQUENCE) - 1)
    index = min(int(place), len(_SEQUENCE) - 2)
    mixed = (
        round(low + (high - low) * (place - index))
        for low, high in zip(_SEQUENCE[index], _SEQUENCE[index + 1], strict=True)
    )
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def colour_scale() -> list[list[object]]:
    """The sequence as a plotly colour scale, dark where the value is low."""
    return [[step / 4, sequential(1 - step / 4)] for step in range(5)]


def faint(colour: str, opacity: float) -> str:
    """A ``#rrggbb`` colour with an opacity, for CSS and plotly."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
