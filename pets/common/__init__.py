"""What knows nothing of privacy: canonical bytes, signatures, randomness, arguments, progress."""
