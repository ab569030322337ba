"""Models: what is fitted to rows from released sums alone, from the formula to the intervals that contain the noise."""

from pets.models import linear as linear  # so that every kind of model is known to what reads a saved fit
