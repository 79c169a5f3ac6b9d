"""The user's own data: an .npz file, checked before it is unpacked."""
