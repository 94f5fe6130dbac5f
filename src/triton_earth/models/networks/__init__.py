"""Networks of the field to compare with; importing this enters their names into the registry."""

from triton_earth.models.networks import afno as afno
from triton_earth.models.networks import convlstm as convlstm
from triton_earth.models.networks import convnext_unet as convnext_unet
from triton_earth.models.networks import fno as fno
from triton_earth.models.networks import kno as kno
from triton_earth.models.networks import lsm as lsm
from triton_earth.models.networks import modern_unet as modern_unet
from triton_earth.models.networks import resnet as resnet
from triton_earth.models.networks import sfno as sfno
from triton_earth.models.networks import simvp as simvp
from triton_earth.models.networks import transformer as transformer
from triton_earth.models.networks import unet as unet
