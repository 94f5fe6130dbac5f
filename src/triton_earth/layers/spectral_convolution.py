"""Convolution over the whole map by a product with learned weights at the lowest wavenumbers."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SpectralConvolution(nn.Module):
    """y = Re F⁻¹[Σ_c (R_c + i I_c)(k_y, k_x) F[x_c]] over −r ≤ k_y < r and 0 ≤ k_x < s; all other wavenumbers give 0.

    F is the Fourier transform divided by the number of cells, so that the weights do not depend on the resolution. On a
    map too small for all of the wavenumbers, those that it has count. The transform runs in float32 whatever the
    precision around it is.

    Source: Li et al. (2021), arXiv:2010.08895, Eq. 5.

    Args:
        input_channels: Channels of the input.
        output_channels: Channels of the output.
        rows: r, wavenumbers along the height of each sign.
        columns: s, wavenumbers along the width.
        std: Standard deviation of the initial complex weights.
    """

    def __init__(
        self, input_channels: int, output_channels: int, rows: int, columns: int, std: float
    ) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns
        shape = (2 * rows, columns, input_channels, output_channels)
        self.real = nn.Parameter(torch.randn(shape) * std / 2**0.5)
        self.imaginary = nn.Parameter(torch.randn(shape) * std / 2**0.5)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height width"]:
        """Return the convolved maps, in float32."""
        with torch.autocast(x.device.type, enabled=False):
            return self._convolve(x.float().contiguous())

    def _convolve(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        spectrum = torch.fft.rfft2(x, norm="forward")
        negative = min(self.rows, height // 2)
        positive = min(self.rows, (height + 1) // 2)
        columns = min(self.columns, width // 2 + 1)
        low = torch.cat(
            [spectrum[..., height - negative :, :columns], spectrum[..., :positive, :columns]],
            dim=2,
        )
        parts = torch.view_as_real(low).permute(2, 3, 4, 0, 1)  # row, column, part, batch, channel
        kept = slice(self.rows - negative, self.rows + positive)
        real, imaginary = (
            weight[kept, :columns].flatten(0, 1) for weight in (self.real, self.imaginary)
        )
        stacked = parts.flatten(2, 3).flatten(0, 1)  # both parts of all samples below each other
        by_real, by_imaginary = stacked @ real, stacked @ imaginary
        product = torch.stack(
            [
                by_real[:, :batch] - by_imaginary[:, batch:],
                by_real[:, batch:] + by_imaginary[:, :batch],
            ],
            dim=-1,
        )
        # Batch, output, row, column, part: with real numbers, since ONNX knows no complex zeros.
        result = product.unflatten(0, (-1, columns)).permute(2, 3, 0, 1, 4)
        filled = result.new_zeros(*result.shape[:2], height, width // 2 + 1, 2)
        filled[..., height - negative :, :columns, :] = result[:, :, :negative]
        filled[..., :positive, :columns, :] = result[:, :, negative:]
        return torch.fft.irfft2(torch.view_as_complex(filled), s=(height, width), norm="forward")
