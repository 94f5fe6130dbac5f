"""How a model is trained: everything that the training loop can be told."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError, nearest
from triton_earth.models.forecaster import Precision
from triton_earth.training.mean_correction import MeanCorrectionConfig
from triton_earth.training.optimization.curriculum import (
    ENSEMBLE_LOSSES,
    Sizes,
    Stage,
    Terms,
    require_curriculum,
    stage_at,
)

VALIDATION_CRPS, CLIMATE = "validation_crps", "climate"


class TrainConfig(StrictConfig):
    """Settings of the training loop.

    Attributes:
        steps: Optimiser steps of the whole run.
        batch_size: Windows in a batch, over all processes.
        parallel: How several processes share the work: ``ddp`` keeps all weights in each, ``fsdp`` cuts weights,
            averages and moments over them.
        accumulate: Parts that a process computes its share of a batch in, one after the other, to save memory.
        horizon: Model applications per window that the loss looks at.
        curriculum: Horizons that change during the run, in place of `horizon`, and losses, noise and members that do.
        window_stride: Times between the starts of neighbouring training windows.
        lead_weights: How much each lead counts, from the first on; all alike if not given.
        gradient_steps: Last applications that gradients flow through and the loss looks at (pushforward); the earlier
            ones only bring the model to states of its own. All if not given.
        recompute_steps: Keep one state per application in place of all activations, and compute these again for the
            gradient: memory hardly grows with the horizon, time by about a third.
        noise: Standard deviation of white noise on the history, in units of each variable's increments; or sizes by the
            cells between independent numbers, as ``{1: 0.3, 16: 2}``. The model learns to remove what does not belong
            to the flow, so that its own errors at these scales do not pile up.
        members: Forecasts of each window, which differ by the noise channels of the model.
        init_from: Run folder or forecaster whose weights and normaliser training starts from; random weights if not
            given.
        init_optimizer: ``continued`` goes on from that run's last step, its weights and moments of the gradient;
            ``fresh`` takes the forecaster's weights and no moments.
        loss: Name of a loss (mse, mae, huber, relative_l2, spectral, amse, crps, crps_waves, energy), or the weights of
            several.
        crps_alpha: How fair the scores of ensembles are: 1 does not count the members, 0 rewards too little spread.
        huber_delta: Size of errors, in units of the loss, beyond which ``huber`` grows linearly.
        variable_weights: How much a variable counts in the loss; 1 where not given.
        balance_gradients: Give the gradient of every channel the same norm, times its weight; the loss itself is then
            not weighted.
        optimizer: ``adamw``, or ``muon`` for matrices and the kernels of convolutions, with AdamW for all else.
        learning_rate: Peak learning rate.
        schedule: ``cosine`` falls from the peak all along, ``trapezoid`` stays there and falls at the end.
        warmup_steps: Steps of the linear rise of the learning rate.
        decay_steps: Steps of the trapezoid's fall; a fifth of all if not given.
        weight_decay: Decoupled weight decay, on matrices and kernels only.
        clip_norm: Largest norm of the gradient.
        explosion: Stop once the loss is so many times that of the first step with the same horizon.
        ema_decay: Memory of the moving average of the weights.
        precision: Arithmetic of the network; ``auto`` is bfloat16 where the device has matrix units for it, and the run
            says which it was.
        compile: Compile the network: a minute or more at the start, then faster steps on a GPU; ``auto`` does so where
            a run on a GPU is long enough to gain by it. Validation and forecasts use the network as it is written.
        validate_every: Steps between validations; a checkpoint is written at each.
        validation_windows: Windows of the validation split, evenly spread, that a validation looks at.
        validation_leads: Leads at which validation forecasts are scored; without any there are no such forecasts.
        validation_forecasts: Validation forecasts, from initial times that are evenly spread.
        select_by: Score whose lowest value decides which weights are kept: ``validation_mse``; ``validation_crps``, of
            four members of a model with noise channels; ``rollout_rmse`` (the
            mean over `validation_leads`) or ``rollout_rmse_lead_N``; ``rollout_stability``, how far forecasts are from
            the truth's variance and small scales, or ``rollout_stability_lead_N``; ``rollout_rmse_and_stability``,
            their sum; ``climate``, how far runs of `climate_steps` steps from `climate_starts` states of the training
            and validation split are from the climate of the training data (1 − climate skill).
        climate_steps: Steps of these runs.
        climate_starts: How many of them.
        stabilized: Let the stabilisers of `forecast.stabilizers` correct every state in training and validation as
            they do in a forecast. How much each changes the states one step ahead is logged at each validation.
        mean_correction: After training, run the forecaster from training states and take the mean that its runs have
            too much of out of its climatology; none if not given.
        back_to_best: Where a validation is worse than the best so far, go on from the weights that were best.
        loggers: Where the log goes besides its CSV files: tensorboard, wandb, mlflow; each an extra of the package.
        report: Write a report of the run, ``report.html``, at its end.
        memory_gb: Largest amount of memory for keeping the training data.
        loader_workers: Threads of each process that read and decompress batches ahead; the order is the same for any.
        device: ``auto`` takes a GPU where there is one.
        threads: Threads of torch on a CPU, its own choice if not given. Small networks gain nothing from a second.
    """

    steps: int = Field(default=1000, ge=1)
    batch_size: int = Field(default=8, ge=1)
    parallel: Literal["ddp", "fsdp"] = "ddp"
    accumulate: int = Field(default=1, ge=1)
    horizon: int = Field(default=1, ge=1)
    curriculum: tuple[Stage, ...] = ()
    window_stride: int = Field(default=1, ge=1)
    lead_weights: tuple[Annotated[float, Field(ge=0)], ...] = ()
    gradient_steps: int | None = Field(default=None, ge=1)
    recompute_steps: bool = False
    noise: Sizes = 0.0
    members: int = Field(default=1, ge=1)
    init_from: Path | None = None
    init_optimizer: Literal["fresh", "continued"] = "fresh"
    loss: Terms = {"mse": 1.0}  # noqa: RUF012
    crps_alpha: float = Field(default=0.95, ge=0, le=1)
    huber_delta: float = Field(default=1.0, gt=0)
    variable_weights: dict[str, Annotated[float, Field(gt=0)]] = {}  # noqa: RUF012
    balance_gradients: bool = False
    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    schedule: Literal["cosine", "trapezoid"] = "cosine"
    warmup_steps: int = Field(default=100, ge=0)
    decay_steps: int | None = Field(default=None, ge=1)
    weight_decay: float = Field(default=0.01, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    explosion: float = Field(default=1e4, gt=1)
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    precision: Precision | Literal["auto"] = "float32"
    compile: bool | Literal["auto"] = "auto"
    validate_every: int = Field(default=500, ge=1)
    validation_windows: int = Field(default=64, ge=1)
    validation_leads: tuple[Annotated[int, Field(ge=1)], ...] = ()
    validation_forecasts: int = Field(default=8, ge=1)
    select_by: str = Field(default="validation_mse", validate_default=False)
    climate_steps: int = Field(default=365, ge=20)
    climate_starts: int = Field(default=4, ge=1)
    stabilized: bool = False
    mean_correction: MeanCorrectionConfig | None = None
    back_to_best: bool = False
    loggers: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ()
    report: bool = True
    memory_gb: float = Field(default=4.0, ge=0)
    loader_workers: int = Field(default=2, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(default=None, ge=1)

    @field_validator("curriculum")
    @classmethod
    def _in_order(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        require_curriculum(stages)
        return stages

    @field_validator("validation_leads")
    @classmethod
    def _ascending(cls, leads: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(leads)))

    @field_validator("select_by")
    @classmethod
    def _known_score(cls, name: str, info: Any) -> str:
        known = score_names(info.data.get("validation_leads", ()))
        if name not in known:
            raise UserError(
                f"unknown score '{name}'; {nearest(name, known)} Scores of forecasts need train.validation_leads."
            )
        return name

    @model_validator(mode="after")
    def _fits_together(self) -> "TrainConfig":
        if self.curriculum and self.horizon != 1:
            raise UserError(
                f"horizon={self.horizon} and a curriculum exclude each other; give one of them."
            )
        late = [stage.from_step for stage in self.curriculum if stage.from_step >= self.steps]
        if late:
            raise UserError(
                f"a stage of the curriculum begins at step {late[0]}, but there are {self.steps} steps, from 0. "
                "Raise steps, or drop the stage."
            )
        if self.schedule == "trapezoid" and self.warmup_steps + self.fall > self.steps:
            raise UserError(
                f"warmup_steps={self.warmup_steps} and a fall of {self.fall} steps (decay_steps, or a fifth of all) do "
                f"not fit into steps={self.steps}; shorten one of them."
            )
        if self.back_to_best and self.parallel == "fsdp":
            raise UserError(
                "train.back_to_best keeps whole weights in each process, but parallel=fsdp cuts them. Take "
                "parallel=ddp, or leave it out."
            )
        for stage in self.stages:
            at = self.at(stage.from_step)
            scores = [name for name in at.loss if name in ENSEMBLE_LOSSES]
            if scores and at.members < 2:
                raise UserError(
                    f"{scores[0]} is a score of ensembles, but there is {at.members} member. Set "
                    "train.members=2 or more."
                )
        return self

    def at(self, step: int) -> "TrainConfig":
        """Return the settings at a step: those of the whole run with what its stage says otherwise."""
        stage = stage_at(self.stages, step)
        told = {
            name: value
            for name in ("loss", "noise", "members")
            if (value := getattr(stage, name)) is not None
        }
        return self.model_copy(update=told) if told else self

    @property
    def most_members(self) -> int:
        """Most members that a window ever has."""
        return max(self.at(stage.from_step).members for stage in self.stages)

    @property
    def fall(self) -> int:
        """Steps of the trapezoid's fall."""
        return self.decay_steps or max(1, self.steps // 5)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The curriculum; a single stage where only a horizon is given."""
        return self.curriculum or (Stage(from_step=0, horizon=self.horizon),)

    @property
    def longest_horizon(self) -> int:
        """Most applications that the loss ever looks at."""
        return max(stage.longest for stage in self.stages)


def score_names(leads: tuple[int, ...]) -> list[str]:
    """Return the names of the validation scores that a checkpoint can be selected by."""
    rollouts = [
        name
        for kind in ("rollout_rmse", "rollout_stability")
        for name in (kind, *(f"{kind}_lead_{lead}" for lead in leads))
    ]
    return [
        "validation_mse",
        VALIDATION_CRPS,
        CLIMATE,
        *([*rollouts, "rollout_rmse_and_stability"] if leads else []),
    ]
