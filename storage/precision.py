"""The precisions in which a study may train."""

from typing import Literal

Precision = Literal["float32", "bfloat16", "by device"]
"""Precision of forward passes: that of studies of earlier versions was decided by the device."""

FLOAT32: Precision = "float32"
BFLOAT16: Precision = "bfloat16"
BY_DEVICE: Precision = "by device"
