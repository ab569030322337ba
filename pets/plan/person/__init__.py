"""Steps of one person: what is computed of features."""
