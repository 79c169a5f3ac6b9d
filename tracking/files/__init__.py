"""Files in a folder or a bucket, with conditional writes."""
