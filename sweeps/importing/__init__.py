"""Other people's files as a data set: read, checked, split, written as one .npz; without PyTorch."""
