"""What the registry says: champion, and every version."""

import json

from serving.registry import champion_version, registered_versions

name = "demand-forecaster"
print(
    "RESULT",
    json.dumps(
        {
            "champion": champion_version(name),
            "versions": sorted(v for n, v in registered_versions() if n == name),
        }
    ),
)
