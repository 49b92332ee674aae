"""Types for JSON that other programs write.

Those programs define its structure. Reading the needed fields checks it, and a missing field fails the case with its name.
So the alias is `Any`, here and nowhere else.
"""

from typing import Any, TypeAlias

Json: TypeAlias = Any
JsonObject: TypeAlias = dict[str, Json]
