"""Models: what is fitted to rows from released sums alone, from the formula to the intervals that contain the noise."""

from pets.models import linear as linear  # so that every kind of model is known to what reads a saved fit
from pets.models.glm import regressions as regressions
from pets.models.survival import cox as cox
from pets.models.survival import kaplan_meier as kaplan_meier
from pets.models.survival import log_rank as log_rank
