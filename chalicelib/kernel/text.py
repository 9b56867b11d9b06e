"""What a text may hold. Pure."""

from __future__ import annotations

import re
from typing import Final

CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Control characters but tab and line ends: nobody types them, and each reader down the line does something else with
them. Refused wherever a text enters."""
