"""Another device's clock on the session's: arrays in, arrays out.

>>> import numpy as np
>>> from wakeful.clock import fit_clock, time_frames
>>> rng = np.random.default_rng(0)
>>> pulses_s = np.cumsum(rng.uniform(0.5, 1.5, 600))
>>> clock = fit_clock((pulses_s - 40.0) * 1.00005, pulses_s)
>>> round(clock.drift_ppm)
-50
"""

from __future__ import annotations

from wakeful.clock.fit import extend, fit_clock
from wakeful.clock.frames import check_times, time_frames

__all__ = ["check_times", "extend", "fit_clock", "time_frames"]
