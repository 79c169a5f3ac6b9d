"""What the tests stand on: people's folders, hand-made sweeps, servers and clusters."""
