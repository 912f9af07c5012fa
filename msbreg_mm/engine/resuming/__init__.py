"""Training that can stop at any iteration and go on as if it had not."""
