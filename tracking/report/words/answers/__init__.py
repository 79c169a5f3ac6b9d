"""What the first screen says: which model, and which K."""
