"""Forecasters and the network architectures they are made of."""

from triton_earth.models import triton as triton  # enters its name into the registry
