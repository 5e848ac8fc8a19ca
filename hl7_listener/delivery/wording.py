"""How a home RIS wants our messages worded; defaults, that the `sent` of its dialect overrides.

Pure: no I/O, no clock, no settings. It must not write messages.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Wording(BaseModel):
    """How a home RIS wants our messages.

    - `version`, and whom MSH-3 to MSH-5 name; MSH-6 is its sending facility.
    - `lock_taken`, `lock_released`, `reported`: the words of ORC-5.
    - `value_type` of the words of a report: `FT`, one formatted value, or `TX`, a line of text each.
    - `report_id_in_obr_3`: our id of the report in OBR-3, instead of the accession number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal["2.4", "2.5", "2.5.1"] = "2.4"
    application: str = "RADPOOL"
    facility: str = "RADPOOL"
    receiving_application: str = ""
    lock_taken: str = "IP"
    lock_released: str = "SC"
    reported: str = "CM"
    value_type: Literal["FT", "TX"] = "FT"
    report_id_in_obr_3: bool = False
