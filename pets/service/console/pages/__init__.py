"""The pages of the console, by who needs them."""
