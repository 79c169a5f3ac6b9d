"""What a sweep, a trial and a reproduction are in MLflow."""
