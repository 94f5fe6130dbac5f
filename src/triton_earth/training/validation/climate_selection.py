"""Selection by climate: runs of many steps, judged by the climate of the training data; no truth is needed."""

import warnings
from dataclasses import dataclass

import numpy as np
import torch

from triton_earth.core.errors import UserError
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.climate.records import ClimateRecords, climate_skill
from triton_earth.evaluation.climate.reference import fit_training_climate
from triton_earth.evaluation.climate.setting import ClimateSetting
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.rollout.guard.stabilizers import StabilizersConfig
from triton_earth.training.free_runs import evenly_spread, free_runs, starts_of

SPLITS = ("train", "valid")
"""Where runs start: never from what the model will be judged on."""


@dataclass(frozen=True)
class ClimateSelection:
    """Runs from states of the training and validation split, and what they are compared with.

    Attributes:
        store: Training store.
        trajectories: Trajectory of each run.
        starts: First time of each run.
        setting: The training climate, and how far the training data are from it themselves.
        stabilizers: What corrects the states of the runs; None: nothing.
    """

    store: TrainingStore
    trajectories: list[int]
    starts: list[int]
    setting: ClimateSetting
    stabilizers: StabilizersConfig | None = None

    @classmethod
    def of(
        cls,
        forecaster: NetworkForecaster,
        store: TrainingStore,
        steps: int,
        starts: int,
        stabilizers: StabilizersConfig | None = None,
    ) -> "ClimateSelection":
        """Measure the climate of the training split.

        Args:
            forecaster: What will run.
            store: Training store.
            steps: Steps of each run.
            starts: How many runs, evenly spread over the training and the validation split.
            stabilizers: What corrects their states; None: nothing.

        Raises:
            UserError: if the training split is too short to be compared with itself.
        """
        names = forecaster.predicted.names
        climate = fit_training_climate(store, names)
        if climate is None:
            raise UserError(
                f"train.select_by=climate: the training split of {store.path} is too short to be compared with itself. "
                "Select by validation_mse."
            )
        least = 2 * climate.reference.measures.month
        if steps < least:
            raise UserError(
                f"train.climate_steps={steps}: a run is judged by at least two windows of means, which are {least} "
                "steps. Raise it."
            )
        history = forecaster.history
        chosen = evenly_spread(starts_of(store, SPLITS, history), starts)
        firsts = [start + history for _, start in chosen]
        setting = ClimateSetting.measured(store, climate, steps, firsts)
        trajectories, times = ([start[part] for start in chosen] for part in (0, 1))
        return cls(store, trajectories, times, setting, stabilizers)

    def score(self, forecaster: NetworkForecaster) -> float:
        """Return 1 − climate skill, the mean over runs: 0 is a perfect climate, 1 a run that breaks.

        Runs of a stochastic forecaster have the same noise each time.
        """
        forecaster.network.eval()
        steps, names = len(self.setting.leads), list(self.setting.names)
        starts = list(zip(self.trajectories, self.starts, strict=True))
        batches = free_runs(forecaster, self.store, starts, steps, self.stabilizers)
        run = self.setting.reference.run(len(self.starts))
        with torch.no_grad():
            for state in batches.start(slice(0, len(self.starts))).states():
                fields = state.select(names).data[:, 0].float().cpu().numpy()
                run.add(state.valid_times[:, 0], fields)
        records = ClimateRecords.empty(1, len(self.starts), self.setting)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a run that is not finite
            records.put(0, np.arange(len(self.starts)), run, self.setting)
        return float(1 - climate_skill(records.statistics, self.setting)[0].mean())
