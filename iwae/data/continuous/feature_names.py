"""How features are named to people."""

from collections.abc import Iterable, Sequence

SHOWN = 4


def feature_name(feature: int, names: Sequence[str] = ()) -> str:
    """The name of a feature, or its number, from 0, where it has none."""
    return names[feature] if names else f"feature {feature}"


def some_names(features: Iterable[int], names: Sequence[str] = ()) -> str:
    """The first few features by name: ``alcohol, ash, hue, … (9 more)``."""
    all_ = [feature_name(feature, names) for feature in features]
    rest = f", … ({len(all_) - SHOWN} more)" if len(all_) > SHOWN else ""
    return ", ".join(all_[:SHOWN]) + rest
