"""The optional loggers, against stand-ins that record what they are told."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from triton_earth.core.errors import UserError
from triton_earth.training.logs.log import RunLog
from triton_earth.training.logs.loggers import PACKAGES, open_loggers, require_loggers

VALUES = {"loss": 0.5, "learning_rate": 1e-3}


@pytest.fixture
def told(monkeypatch):
    """What the packages are told, in order."""
    calls = []

    class Writer:
        def __init__(self, folder, purge_step):
            calls.append(("open", folder, purge_step))

        def add_scalar(self, name, value, step):
            calls.append((name, value, step))

        def close(self):
            calls.append("close")

    class Run:
        def log(self, values, step):
            calls.append((values, step))

        def finish(self):
            calls.append("close")

    def start_run(run_id, run_name):
        calls.append(("open", run_id, run_name))
        return SimpleNamespace(info=SimpleNamespace(run_id="abc"))

    contents = {
        "tensorboard": {"SummaryWriter": Writer},
        "wandb": {"init": lambda **options: calls.append(options) or Run()},
        "mlflow": {
            "start_run": start_run,
            "log_metrics": lambda values, step: calls.append((values, step)),
            "end_run": lambda: calls.append("close"),
        },
    }
    for name, functions in contents.items():
        module = ModuleType(name)
        vars(module).update(functions)
        monkeypatch.setitem(sys.modules, PACKAGES[name], module)
    return calls


def log(folder, name, resume_after=0):
    run = RunLog(folder, resume_after, [], loggers=[name])
    run.write("log", step=20, **VALUES)
    run.write("losses", step=20, lead=1, variable="vorticity", loss=0.5)
    run.close()


def test_tensorboard_gets_the_rows_of_the_log(told, tmp_path):
    folder = str(tmp_path / "tensorboard")
    log(tmp_path, "tensorboard")
    rows = [("loss", 0.5, 20), ("learning_rate", 1e-3, 20)]
    assert told == [("open", folder, None), *rows, "close"]
    log(tmp_path, "tensorboard", resume_after=10)
    assert told[4] == ("open", folder, 11)


def test_wandb_goes_on_with_its_run(told, tmp_path):
    log(tmp_path, "wandb")
    log(tmp_path, "wandb", resume_after=10)
    first, _, _, second, _, _ = told
    assert told[1:3] == [(VALUES, 20), "close"]
    assert (first.pop("resume"), second.pop("resume")) == (None, "allow")
    assert first == second
    assert first["name"] == tmp_path.name


def test_mlflow_goes_on_with_its_run(told, tmp_path):
    log(tmp_path, "mlflow")
    log(tmp_path, "mlflow", resume_after=10)
    assert told[:3] == [("open", None, tmp_path.name), (VALUES, 20), "close"]
    assert told[3] == ("open", "abc", None)


def test_only_the_main_process_logs(told, tmp_path):
    RunLog(tmp_path, 0, [], writes=False, loggers=["wandb"]).close()
    assert told == []


@pytest.mark.parametrize("name", PACKAGES)
def test_a_logger_that_is_not_installed_is_refused(monkeypatch, name):
    monkeypatch.setitem(sys.modules, PACKAGES[name], None)
    with pytest.raises(UserError) as caught:
        require_loggers([name])
    assert str(caught.value) == (
        f"train.loggers: {name} is not installed. Install it with `pip install 'triton-earth[{name}]'`, or leave it "
        "out; log.csv is written always."
    )


@pytest.mark.slow
def test_the_real_tensorboard_reads_what_is_written(tmp_path):
    pytest.importorskip("tensorboard")
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    (logger,) = open_loggers(["tensorboard"], tmp_path, 0)
    for step in (1, 2, 3):
        logger.write(step, {"loss": 1.0 / step})
    logger.close()
    (logger,) = open_loggers(["tensorboard"], tmp_path, 2)
    logger.write(3, {"loss": 7.0})
    logger.close()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    found = [(event.step, event.value) for event in events.Scalars("loss")]
    assert found == [(1, 1.0), (2, 0.5), (3, 7.0)]
