"""In which precision a device computes fastest. Used by `processes`, `prediction` and the doctor."""

from __future__ import annotations

import time
from functools import cache

import torch


@cache
def best_precision() -> str:
    """The precision that trains fastest here without losing accuracy: `"bf16"`, `"fp16"` or `"no"`.

    GPUs with native bfloat16 use it, older ones float16. CPUs are timed once on a matrix product, since only some
    have bfloat16 units and the others would get slower.
    """
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if torch.backends.mps.is_available():
        return "no"
    times: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    for _ in range(12):  # in turns, keeping each one's best time, so that a short load on the machine changes nothing
        for dtype, taken in times.items():
            a = torch.ones(512, 512, dtype=dtype)
            started = time.perf_counter()
            for _ in range(4):
                a @ a
            taken.append(time.perf_counter() - started)
    return "bf16" if min(times[torch.bfloat16]) * 1.5 < min(times[torch.float32]) else "no"
