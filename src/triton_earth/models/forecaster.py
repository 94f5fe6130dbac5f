"""The learned forecaster: a network together with everything that gives its numbers a meaning."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
import pydantic
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid
from triton_earth.core.state import State
from triton_earth.core.time import Duration
from triton_earth.core.variables import Variables
from triton_earth.data.statistics.damping import DampingConfig
from triton_earth.data.statistics.normalization import NormalizationConfig, Normalizer
from triton_earth.models.base import Forecaster
from triton_earth.models.cast_once import CastOnce
from triton_earth.models.noise import (
    NoiseConfig,
    Seeds,
    free_noise,
    seeded_noise,
    seeds_of_times,
)
from triton_earth.models.registry import NetworkConfig, create

Precision = Literal["float32", "bfloat16"]

SHIFT = "damping_shift"
"""Parameter of a network that trains its damping too."""


def _network(values: Any) -> NetworkConfig:
    return values if isinstance(values, NetworkConfig) else create(values)


class ModelConfig(StrictConfig):
    """A learned forecaster before it knows its data.

    Attributes:
        network: Architecture and its hyper-parameters.
        history: Number of states that it starts from; one application gives as many new ones.
        prediction: ``tendency`` adds the network's output, scaled by the standard deviation of increments, to the
            newest state; ``state`` takes it as the normalised new state, as the original system does; ``damped`` adds
            it to what is left of the newest anomaly on average, so that errors fade instead of being kept.
        damping: How ``damped`` damps anomalies.
        north_first: Whether rows run from north to south in the network, as in weights of the original system.
        mask_input: Whether the network is told where variables are defined, by one more channel.
        climatology_input: Whether the network is told the climatology at the target times, a channel for each predicted
            variable: it holds what is always at the same place.
        noise: Noise channels, which make the forecaster stochastic; none if not given.
        normalization: How fields are normalised.
    """

    network: Annotated[pydantic.SerializeAsAny[NetworkConfig], pydantic.BeforeValidator(_network)]
    history: int = pydantic.Field(default=1, ge=1)
    prediction: Literal["tendency", "state", "damped"] = "tendency"
    damping: DampingConfig = DampingConfig()
    north_first: bool = False
    mask_input: bool = False
    climatology_input: bool = False
    noise: NoiseConfig | None = None
    normalization: NormalizationConfig = NormalizationConfig()

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> "ModelConfig":
        for key, asked in (
            ("prediction=damped", self.prediction == "damped"),
            ("climatology_input=true", self.climatology_input),
        ):
            if asked and not self.has_anomalies:
                raise UserError(
                    f"{key} needs anomalies; found normalization.subtract={self.normalization.subtract}. "
                    "Set model.normalization.subtract=climatology."
                )
        if self.prediction != "damped" and self.damping != DampingConfig():
            raise UserError(
                f"damping is for prediction=damped; found {self.prediction}. Leave it out, or change that."
            )
        return self

    @property
    def has_anomalies(self) -> bool:
        """Whether fields are normalised as departures from a climatology."""
        return self.normalization.subtract == "climatology"

    @property
    def skip_damping(self) -> DampingConfig | None:
        """How anomalies are damped; None where the prediction does not start from them."""
        return self.damping if self.prediction == "damped" else None


def _require_grid(normalizer: Normalizer, grid: Grid) -> None:
    if normalizer.seasons is None:
        return
    shape = tuple(normalizer.seasons.climatology.coefficients.shape[-2:])
    if shape != grid.shape:
        raise UserError(
            f"the normaliser's climatology has {shape[0]} x {shape[1]} cells, but the model's grid is {grid}. Train "
            "the model again."
        )


def _require_parts(normalizer: Normalizer, config: ModelConfig) -> None:
    if config.prediction == "damped" and normalizer.damping is None:
        raise ValueError("a damped prediction needs a normaliser with a damping.")
    if config.climatology_input and normalizer.seasons is None:
        raise ValueError("climatology_input needs a normaliser with a climatology.")


class NetworkForecaster(Forecaster):
    """A network, the normaliser, variables, grid and time step it was trained with.

        tendency:  x(t + k Δt) = x(t) + σ_Δ N_k[(x − μ)/σ, f],      state:  x(t + k Δt) = μ + σ N_k[(x − μ)/σ, f]
        damped:    x(t + k Δt) = ρ^k x(t) + σ_ρ N_k[(x − μ)/σ, f]

    with μ, σ the mean and standard deviation of each variable, σ_Δ that of its increments, ρ its `Damping` and σ_ρ the
    error of ρ x(t) after a step, all from the training
    data. For variables with a log scale ε, x stands for sign(x) ln(1 + |x|/ε); where the normaliser has a climatology
    c, for the anomaly x − c, to which c at the target time is added in the end. Diagnostic variables, which are not fed
    back, are given as state always. Cells outside the valid mask enter the network as 0, the mean; `mask_input` adds
    one channel with the part of the predicted variables that are defined in each cell, `climatology_input` their
    climatology at the target times, and `noise` random fields: in training new ones at each call, else those of
    `noise_seeds`, or of the times of the states where these are None.

    Attributes:
        config: What the network was built from.
        network: `[batch, time, channel, height, width] -> same`, normalised values.
        normalizer: Statistics of the training data.
        valid_mask: True where a predicted variable is defined; None where all are everywhere.
        forcing_mask: True where a forcing or static variable is defined; None where all are everywhere.
        precision: Arithmetic of the network; all else is float32.
        noise_seeds: What the noise of each row of the next call depends on; None: the times of its states.
        given_noise: The noise channels themselves, in place of drawn ones; None: they are drawn.
    """

    def __init__(
        self,
        config: ModelConfig,
        variables: Variables,
        grid: Grid,
        time_step: Duration,
        normalizer: Normalizer,
        valid_mask: Bool[Tensor, "channel y x"] | None = None,
        precision: Precision = "float32",
        forcing_mask: Bool[Tensor, "forcing y x"] | None = None,
    ) -> None:
        """Build the network with new weights; `training` or `load_forecaster` then set them.

        Raises:
            UserError: if the normaliser's climatology is on another grid, or it lacks what the prediction needs.
        """
        _require_grid(normalizer, grid)
        config = config.model_copy(update={"network": config.network.for_grid(grid)})
        _require_parts(normalizer, config)
        self.config, self.variables, self.grid, self.time_step = config, variables, grid, time_step
        self.history, self.block = config.history, config.history
        self.name = config.network.name
        self.normalizer, self.precision = normalizer, precision
        self.valid_mask, self.forcing_mask = valid_mask, forcing_mask
        self._statistics: dict[tuple[Any, ...], Tensor] = {}
        self._cast_once = CastOnce()
        self.noise_seeds: Seeds | None = None
        self.given_noise: Tensor | None = None
        self.network: nn.Module = config.network.build(
            frames=config.history,
            input_channels=self._input_channels,
            output_channels=len(self.predicted),
            padding=grid.padding,
        )
        if config.prediction == "damped" and config.damping.trainable:
            assert normalizer.damping is not None
            count = normalizer.damping.coefficients.numel()
            self.network.register_parameter(SHIFT, nn.Parameter(torch.zeros(count)))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    @property
    def is_stochastic(self) -> bool:
        """Whether it has noise channels, so that forecasts from one state differ by their seeds."""
        return self.config.noise is not None

    @property
    def parameter_count(self) -> int:
        """Parameters of the network."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def __call__(self, window: State, forcing: State | None = None) -> State:
        """Return the states after the window, as many as the network gives at once."""
        inputs = self._normalized(window.select(self.prognostic.names))
        if len(self.forcing):
            given = self._normalized(self._require_forcing(forcing, window))
            inputs = torch.cat([inputs, given], dim=2)
        if self.config.mask_input:
            inputs = torch.cat([inputs, self._defined(inputs)], dim=2)
        if self.config.climatology_input:
            inputs = torch.cat([inputs, self._climatology(inputs, window)], dim=2)
        if self.config.noise is not None:
            inputs = torch.cat([inputs, self._noise(self.config.noise, inputs, window)], dim=2)
        if self.config.north_first:
            inputs = inputs.flip(-2)
        with self._arithmetic():
            output = self._cast_once(self.network, inputs)
        if self.config.north_first:
            output = output.flip(-2)
        return self._denormalized(output.float(), window)

    def loss_scale(self) -> Float[Tensor, "channel 1 1"]:
        """Return the divisor of each predicted variable's errors in the loss: the size of one unit of output.

        It is σ_Δ where the network gives the tendency, σ where it gives the state, and σ_ρ of a damped prediction.
        """
        names = self.predicted.names
        state = self._statistic(names, self.normalizer.std)
        if self.config.prediction == "state":
            return state
        fed_back = torch.tensor([name in self.prognostic for name in names], device=self.device)
        change = self.increment_std(names)
        damping = self.normalizer.damping
        if self.config.prediction == "damped" and damping is not None:
            errors = dict(zip(damping.variables, damping.error_std, strict=True))
            change = torch.tensor([errors.get(name, 1.0) for name in names], device=self.device)[
                :, None, None
            ]
        return torch.where(fed_back[:, None, None], change, state)

    def increment_std(self, names: list[str]) -> Float[Tensor, "channel 1 1"]:
        """Return the root mean square increment over a time step of the named variables, as the normaliser has it."""
        return self._statistic(names, self.normalizer.increment_std)

    def _require_forcing(self, forcing: State | None, window: State) -> State:
        """Return the forcings of an application, once it is known that they have its rows and target times."""
        needed = (window.data.shape[0], self.block)
        wanted = f"the model '{self.name}' needs forcings {self.forcing.names}"
        if forcing is None:
            raise UserError(
                f"{wanted} at its target times; found none. Give forcings, as "
                f"store.windows(trajectories, starts, length=steps) from the first target time on."
            )
        found = tuple(forcing.data.shape[:2])
        if found != needed:
            raise UserError(
                f"{wanted} of {needed[0]} forecasts at the {needed[1]} times that an application gives, as many as "
                f"its history; found {found[0]} at {found[1]} times. Give all target times in one state to `rollout`, "
                "which cuts them."
            )
        return forcing.select(self.forcing.names)

    def _normalized(self, state: State) -> Float[Tensor, "batch time channel y x"]:
        names = state.variables.names
        mean = self._statistic(names, self.normalizer.mean)
        data = self.normalizer.transformed(state).data
        values = (data - mean) / self._statistic(names, self.normalizer.std)
        if state.valid_mask is None:
            return values
        return torch.where(state.valid_mask, values, 0.0)

    def _defined(
        self, inputs: Float[Tensor, "batch time channel y x"]
    ) -> Float[Tensor, "batch time 1 y x"]:
        """Return the part of the predicted variables that are defined in each cell."""
        batch, time, _, *shape = inputs.shape
        if self.valid_mask is None:
            return inputs.new_ones(batch, time, 1, *shape)
        part = self.valid_mask.to(inputs).mean(dim=0)
        return part.expand(batch, time, 1, *shape)

    @property
    def _input_channels(self) -> int:
        config, channels = self.config, len(self.prognostic) + len(self.forcing)
        if config.climatology_input:
            channels += len(self.predicted)
        return channels + config.mask_input + (0 if config.noise is None else config.noise.total)

    def _climatology(
        self, inputs: Float[Tensor, "batch time channel y x"], window: State
    ) -> Float[Tensor, "batch time predicted y x"]:
        """Return the climatology of the predicted variables at the target times, with mean 0 and spread 1."""
        seasons = self.normalizer.seasons
        assert seasons is not None
        names = self.predicted.names
        leads = np.arange(1, inputs.shape[1] + 1) * self.time_step
        cycle = seasons.at(names, window.valid_times[:, -1:] + leads, inputs)
        mean, std = (values.to(inputs) for values in seasons.mean_and_std(names))
        return (cycle - mean) / std

    def _noise(
        self, config: NoiseConfig, inputs: Float[Tensor, "batch time channel y x"], window: State
    ) -> Float[Tensor, "batch time noise y x"]:
        if self.given_noise is not None:
            return self.given_noise
        if self.network.training and self.noise_seeds is None:
            return free_noise(config, inputs, self.grid.padding)
        seeds = self.noise_seeds
        if seeds is None:
            seeds = seeds_of_times(window.valid_times)
        return seeded_noise(config, inputs, self.grid.padding, seeds)

    def _denormalized(
        self, output: Float[Tensor, "batch block channel y x"], window: State
    ) -> State:
        predicted = self.predicted
        leads = np.arange(1, output.shape[1] + 1) * self.time_step
        state = State(
            self._origin(window, len(leads)) + self.loss_scale() * output,
            predicted,
            self.grid,
            window.valid_times[:, -1:] + leads,
            None if self.valid_mask is None else self.valid_mask.to(output.device),
        )
        return self.normalizer.restored(state)

    def _origin(self, window: State, leads: int) -> Float[Tensor, "..."]:
        """Return the field that the output is added to: the mean, the newest state, or its damped anomaly."""
        predicted, fed_back = self.predicted, self.prognostic.names
        mean = self._statistic(predicted.names, self.normalizer.mean)
        if self.config.prediction == "state":
            return mean
        state = self.normalizer.transformed(window.last(1).select(fed_back))
        newest = state.data
        if self.config.prediction == "damped":
            assert self.normalizer.damping is not None
            shift = getattr(self.network, SHIFT, None)
            if shift is not None and state.valid_mask is not None:
                # What is missing on land has no gradient.
                newest = torch.where(state.valid_mask, newest, 0.0)
            newest = self.normalizer.damping.damped(fed_back, newest, leads, self.grid, shift)
        origin = mean.expand(*newest.shape[:2], -1, *newest.shape[3:]).clone()
        origin[:, :, predicted.indices(fed_back)] = newest
        return origin

    def _statistic(
        self, names: list[str], values: tuple[float, ...]
    ) -> Float[Tensor, "channel 1 1"]:
        """Return the values of the named variables; they stay on a GPU, because a copy to a GPU waits for it."""
        key = (tuple(names), values, self.device)
        if key in self._statistics:
            return self._statistics[key]
        by_name = dict(zip(self.normalizer.variables, values, strict=True))
        found = torch.tensor([by_name[name] for name in names], device=self.device)[:, None, None]
        if found.is_cuda:
            self._statistics[key] = found
        return found

    @contextlib.contextmanager
    def _arithmetic(self) -> Iterator[None]:
        with torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16"
        ):
            yield
