import pytest

from triton_earth.core.errors import UserError
from triton_earth.models.registry import (
    NetworkConfig,
    config_class,
    create,
    list_networks,
    register,
)
from triton_earth.models.triton import TritonConfig


def test_triton_is_listed_and_created_by_name():
    assert "triton" in list_networks()
    config = create({"name": "triton", "spatial_hidden_dim": 16})
    assert config == TritonConfig(spatial_hidden_dim=16)


def test_a_name_is_entered_once():
    with pytest.raises(ValueError, match=r"the network name 'triton' is taken by TritonConfig\."):

        @register("triton")
        class Other(NetworkConfig):
            pass


def test_an_unknown_name_brings_the_nearest():
    with pytest.raises(UserError, match=r"unknown network 'trition'; did you mean 'triton'\?"):
        config_class("trition")


@pytest.mark.parametrize("values", [{}, "triton", None])
def test_a_mapping_without_a_name_is_refused(values):
    with pytest.raises(
        UserError, match=r"^expected a mapping with the key 'name', found .*one of .*triton"
    ):
        create(values)


def test_a_misspelt_name_is_named():
    with pytest.raises(UserError, match=r"^unknown key 'nme'; did you mean 'name'\?"):
        create({"spatial_hidden_dim": 8, "nme": "triton"})


def test_an_unknown_hyper_parameter_is_named():
    with pytest.raises(
        UserError, match="unknown key 'spatial_hidden'; did you mean 'spatial_hidden_dim'"
    ):
        create({"name": "triton", "spatial_hidden": 3})
