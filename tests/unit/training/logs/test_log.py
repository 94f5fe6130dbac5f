import csv

from triton_earth.training.logs.log import COLUMNS, RunLog, TrainingLog, read_logs


def rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def written(path, steps, resume_after=0):
    log = TrainingLog(path, resume_after)
    for step in steps:
        log.write(step=step, loss=1 / step)
    log.close()


def test_each_row_is_on_disk_at_once(tmp_path):
    log = TrainingLog(tmp_path / "log.csv", 0)
    assert rows(tmp_path / "log.csv") == []
    log.write(step=20, loss=0.5, validation_mse=0.25)
    (row,) = rows(tmp_path / "log.csv")
    log.close()
    assert tuple(row) == COLUMNS
    assert (row["step"], row["loss"], row["validation_mse"]) == ("20", "0.5", "0.25")
    assert row["persistence_mse"] == ""


def test_a_resumed_log_drops_the_rows_after_its_checkpoint(tmp_path):
    path = tmp_path / "log.csv"
    written(path, [20, 40, 60])
    written(path, [60, 80], resume_after=40)
    assert [row["step"] for row in rows(path)] == ["20", "40", "60", "80"]


def test_a_resumed_log_has_the_bytes_of_an_uninterrupted_one(tmp_path):
    written(tmp_path / "whole.csv", [20, 40, 60, 80])
    written(tmp_path / "cut.csv", [20, 40, 60])
    written(tmp_path / "cut.csv", [60, 80], resume_after=40)
    assert (tmp_path / "cut.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_row_that_was_cut_off_is_dropped(tmp_path):
    path = tmp_path / "log.csv"
    written(path, [20, 40])
    with path.open("a") as stream:
        stream.write("6")
    written(path, [60], resume_after=40)
    assert [row["step"] for row in rows(path)] == ["20", "40", "60"]


def test_a_new_run_starts_a_new_log(tmp_path):
    path = tmp_path / "log.csv"
    written(path, [20, 40])
    written(path, [10])
    assert [row["step"] for row in rows(path)] == ["10"]


def test_a_table_without_rows_is_no_validation(tmp_path):
    run = RunLog(tmp_path, 0, ["rollout_rmse"])
    run.write(
        "log",
        step=1,
        epoch=0,
        loss=1.0,
        learning_rate=1.0,
        gradient_norm=1.0,
        samples_per_second=1.0,
    )
    run.write("losses", step=1, lead=1, variable="a", loss=1.0)
    run.close()
    assert (tmp_path / "validation.csv").exists()
    assert "rmse" not in read_logs(tmp_path)


def test_other_scores_than_those_of_forecasts_have_no_table(tmp_path):
    RunLog(tmp_path, 0, ["validation_crps", "climate"]).close()
    assert not (tmp_path / "validation.csv").exists()
