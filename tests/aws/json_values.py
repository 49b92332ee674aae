"""The types of JSON that other programs make.

Their shape is theirs: it is proved by reading the fields that are needed, and a field that is missing ends the case with
its name. So the alias is `Any`, here and nowhere else.
"""

from typing import Any, TypeAlias

Json: TypeAlias = Any
JsonObject: TypeAlias = dict[str, Json]
