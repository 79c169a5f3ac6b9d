"""What runs in a worker: one trial, its files, and the proof that its code is the driver's."""
