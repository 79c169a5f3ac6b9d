"""What a worker tells the driver of a trial beside its state."""

# Storage failed the trial: it is not to blame, and not over.
UNSTORED = "UNSTORED"
