"""What a worker tells the driver of a trial beside its state."""

# Storage failed the trial, or its data are not the sweep's: it is not to blame, and not over.
UNSTORED = "UNSTORED"
# The worker's code is not the driver's: no trial is begun.
OTHER_CODE = "OTHER_CODE"
# What a scheduler hears of a trial that has no validation NLL yet: finite, and worse than anything real.
NO_NLL_YET = 1e30
