#!/bin/sh
# torch 2.13.0: torch.manual_seed seeds every kind of device, and for each kind that the process has not
# started (CUDA, XPU, MTIA) it formats the whole Python stack, to tell later where the call came from. A
# loop that seeds each step, so that a resumed training draws the same noise, pays for three stacks a step
# (two on a GPU): within a trainer, forty calls deep, a millisecond or two, as much as a small network's
# step on that GPU. The device's own generator gives the same numbers and formats nothing.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cat > "$place/see.py" <<'PY'
import time
import traceback

import torch

stacks = []
usual = traceback.format_stack


def counted(*args, **kwargs):
    stacks.append(usual(*args, **kwargs))
    return stacks[-1]


def deep(calls, work):
    # Of functions of their own: equal lines of a stack would be told once.
    for number in range(calls):
        made = {}
        exec(f"def call_{number}(work):\n    return work()", made)
        work = lambda inner=work, call=made[f"call_{number}"]: call(inner)
    return work()


def microseconds(work):
    started = time.process_time()
    for seed in range(200):
        work(seed)
    return (time.process_time() - started) / 200 * 1e6


def drawn(seed_by):
    seed_by(7)
    return torch.rand(3).tolist()


own = torch.default_generator.manual_seed
for calls in (0, 40):
    whole, alone = (deep(calls, lambda work=work: microseconds(work)) for work in (torch.manual_seed, own))
    print(f"{calls} calls deep: torch.manual_seed {whole:.0f} us, the generator's own {alone:.0f} us")
traceback.format_stack = counted
deep(40, lambda: torch.manual_seed(0))
formatted = [len(stack) for stack in stacks]
stacks.clear()
own(0)
print("stacks formatted by one call:", len(formatted), "| by the generator's own:", len(stacks))
assert len(formatted) == 3 and min(formatted) > 40 and not stacks, (formatted, stacks)
assert drawn(torch.manual_seed) == drawn(own)
PY
CUDA_VISIBLE_DEVICES= "$place/venv/bin/python" "$place/see.py"
# Seen: 0 calls deep: torch.manual_seed 106 us, the generator's own 1 us
#       40 calls deep: torch.manual_seed 563 us, the generator's own 1 us
#       stacks formatted by one call: 3 | by the generator's own: 0
