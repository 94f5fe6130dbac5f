import pytest

from tests.builders import wave_store, weather_store


@pytest.fixture(scope="module")
def waves(tmp_path_factory):
    return wave_store(tmp_path_factory.mktemp("waves") / "waves.zarr")


@pytest.fixture(scope="module")
def weather(tmp_path_factory):
    return weather_store(tmp_path_factory.mktemp("weather") / "weather.zarr")
