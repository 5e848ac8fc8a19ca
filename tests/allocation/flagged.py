"""A network whose hands and knees exclude two flags, and rules that tell them."""

from __future__ import annotations

from tests.allocation.configuration.applying import WHOLE

_HART = next(part for part in WHOLE.split("[[reporter]]") if 'id = "hart"' in part)

#: Hart's scope, signed anew: it excludes what hides in the words of a request.
LIMITED = f"""
[[scope]]
code = "msk-xr"
version = 2
name = "Musculoskeletal X-ray, 16 and over"
exam_codes = ["XHANL", "XKNEL"]
min_age_years = 16
excluded_flags = ["major_trauma", "post_operative"]
signed_by = "Clinical lead"
valid_from = 2025-01-01
valid_until = 2030-12-31

[[reporter]]{_HART}
"""


def flag_rule(name: str, flag: str, state: str, *conditions: str) -> str:
    """Give a rule as a document has it; conditions are lines of it."""
    lines = "\n".join(conditions)
    return f"""
[[flag]]
id = "{name}"
flag = "{flag}"
state = "{state}"
{lines}
valid_from = 2026-01-01
source = "test"
"""


#: General practice sends neither; words of the request say that there was an operation.
RULES = (
    flag_rule("gp-trauma", "major_trauma", "no", 'settings = ["gp"]')
    + flag_rule("gp-operation", "post_operative", "no", 'settings = ["gp"]')
    + flag_rule("operated-on", "post_operative", "yes", 'words = ["post-op"]')
)
