"""Forecasters and the network architectures they are made of."""

# These enter their names into the registry.
from triton_earth.models import networks as networks
from triton_earth.models import triton as triton
