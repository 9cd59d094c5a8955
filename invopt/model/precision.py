"""In how many bits a training computes."""

from typing import Literal

import torch

Precision = Literal["32-true", "bf16-mixed"]
Asked = Literal["32-true", "bf16-mixed", "auto"]
# What torch calls instructions that multiply bfloat16: others compute it by way of 32 bits.
_HALF = ("avx512_bf16", "amx_bf16")


def precision_of(asked: Asked) -> Precision:
    """Return the precision that a training computes in on this machine.

    Args:
        asked: Of the configuration; "auto" is bfloat16 on a GPU or processor that multiplies it.
    """
    if asked != "auto":
        return asked
    if torch.cuda.is_available():
        is_known = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        known = torch.cpu.get_capabilities()
        is_known = any(known.get(name) for name in _HALF)
    return "bf16-mixed" if is_known else "32-true"
