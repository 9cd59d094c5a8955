#!/bin/sh
# Feast 0.67.0: `import feast` imports torch where it is installed, for answers as tensors
# (`to_tensor`), whether anybody asks for one or not. Met where each process that read features,
# among them a server without a network of its own, held 460 MB more and began two seconds later.
# Torch itself is not installed here: a finder that finds nothing tells which module is asked for.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet uv
VIRTUAL_ENV=$place/venv "$place/venv/bin/uv" pip install --quiet feast==0.67.0
"$place/venv/bin/python" - <<'PY'
import sys

asked = []


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        asked.append(name)


sys.meta_path.insert(0, Finder)
import feast  # noqa: E402
from feast import torch_wrapper  # noqa: E402

print("import feast asks for torch:", "torch" in asked)
print("without it, said only to whoever wants a tensor:", torch_wrapper.TORCH_AVAILABLE is False)
# Seen: import feast asks for torch: True
# Seen: without it, said only to whoever wants a tensor: True
assert "torch" in asked and feast.FeatureStore
PY
