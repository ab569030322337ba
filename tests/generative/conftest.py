"""Hypothesis profiles: ``ci`` (the default: the same examples on every run) and ``soak`` (new ones each time).

``HYPOTHESIS_PROFILE=soak`` chooses, and shrinks what it finds; a test marked ``soak`` is long by itself.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

# Shrinking an example that runs three engines takes minutes, so that the real message would drown in a timeout.
FIRST = [Phase.explicit, Phase.generate]

settings.register_profile(
    "ci", deadline=None, derandomize=True, phases=FIRST, suppress_health_check=SLOW, print_blob=True
)
settings.register_profile("soak", deadline=None, suppress_health_check=SLOW, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
