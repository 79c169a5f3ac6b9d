"""What a worker tells the driver of a trial beside its state."""

# Storage failed the trial, or its data are not the sweep's: it is not to blame, and not over.
UNSTORED = "UNSTORED"
# The worker's code is not the driver's: no trial is begun.
OTHER_CODE = "OTHER_CODE"
# Under this name a scheduler hears the newest value of the curve that a trial is ranked by: less is better.
SCORE = "score"
# What it hears of a trial that has none yet: finite, and worse than anything real.
NO_SCORE_YET = 1e30
