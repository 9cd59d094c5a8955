"""sbom.py FILE: write every installed package with version and licence, as CycloneDX 1.6."""

import json
import sys
from pathlib import Path

from serving.stores.deployment_record import software

Path(sys.argv[1]).write_text(json.dumps(software(), indent=1) + "\n", "utf-8")
