"""How a model is trained: everything that the training loop can be told."""

from typing import Literal

from pydantic import Field

from triton_earth.core.config import StrictConfig
from triton_earth.models.forecaster import Precision


class TrainConfig(StrictConfig):
    """Settings of the training loop.

    Attributes:
        steps: Optimiser steps of the whole run.
        batch_size: Windows in a batch.
        horizon: Model applications per window that the loss looks at.
        noise: Standard deviation of white noise on the history, in units of each variable's increments. The model
            learns to remove what does not belong to the flow, so its own errors at small scales do not pile up.
        learning_rate: Peak learning rate.
        warmup_steps: Steps of the linear rise of the learning rate.
        weight_decay: AdamW's decoupled weight decay, on matrices and kernels only.
        clip_norm: Largest norm of the gradient.
        ema_decay: Memory of the moving average of the weights.
        precision: Arithmetic of the network.
        validate_every: Steps between validations; a checkpoint is written at each.
        validation_windows: Windows of the validation split, evenly spread, that a validation looks at.
        memory_gb: Largest amount of memory for keeping the training data.
        device: ``auto`` takes a GPU where there is one.
    """

    steps: int = Field(default=1000, ge=1)
    batch_size: int = Field(default=8, ge=1)
    horizon: int = Field(default=1, ge=1)
    noise: float = Field(default=0.0, ge=0)
    learning_rate: float = Field(default=1e-3, gt=0)
    warmup_steps: int = Field(default=100, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    precision: Precision = "float32"
    validate_every: int = Field(default=500, ge=1)
    validation_windows: int = Field(default=64, ge=1)
    memory_gb: float = Field(default=4.0, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
