"""`wakeful forecast`: when disks are full, whether the work keeps up."""

from __future__ import annotations

import getpass
from typing import Any
from zoneinfo import ZoneInfo

from wakeful.cli.output import JsonOption, LibraryOption, console, library_open, print_json
from wakeful.service.forecast_words import say_forecast
from wakeful.service.foresight import Forecast, make_forecast


def forecast(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """When disks are full and whether the work keeps up, at the pace of the last day.

    Goes by what the service noted while it ran, every ten minutes.
    """
    with library_open(library, getpass.getuser()) as (opened, ledger, _):
        found = make_forecast(opened, ledger)
        zone = ZoneInfo(opened.config.lab.time_zone)
    if as_json:
        print_json(_tree(found))
        return
    for line in say_forecast(found, zone):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _tree(found: Forecast) -> dict[str, Any]:
    return {
        "window_s": found.window.total_seconds() if found.window else None,
        "noted": found.noted.isoformat() if found.noted else None,
        "inflow_bytes_per_day": found.inflow_bytes_per_day,
        "recorded_h_per_day": found.recorded_h_per_day,
        "work_s_per_recorded_hour": found.work_s_per_hour,
        "workers": found.slots,
        "speed": found.speed,
        "times_inflow": found.times_inflow,
        "backlog_s": found.backlog_s,
        "backlog_gone_s": found.backlog_gone_s,
        "disks": [
            {
                "name": filling.name,
                "free_bytes": filling.free_bytes,
                "total_bytes": filling.total_bytes,
                "per_day_bytes": filling.per_day_bytes,
                "full": filling.full.isoformat() if filling.full else None,
            }
            for filling in found.fillings
        ],
    }
