import torch

from triton_earth.layers.dynamics import fold_time, unfold_time
from triton_earth.layers.tokens import to_maps, to_tokens


def test_tokens_are_a_view_of_maps_with_the_channel_innermost():
    maps = torch.randn(2, 8, 3, 5).contiguous(memory_format=torch.channels_last)
    tokens = to_tokens(maps)
    assert tokens.is_contiguous()
    assert tokens.data_ptr() == maps.data_ptr()
    torch.testing.assert_close(tokens[1, 7], maps[1, :, 1, 2])
    torch.testing.assert_close(to_maps(tokens, 3, 5), maps)


def test_folding_time_puts_the_frames_one_after_the_other_in_the_channels():
    maps = torch.randn(6, 4, 3, 5).contiguous(memory_format=torch.channels_last)
    folded = fold_time(maps, 3)
    assert torch.equal(folded, maps.reshape(2, 12, 3, 5))
    assert folded.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(unfold_time(folded, 3), maps)
    assert unfold_time(folded, 3).is_contiguous(memory_format=torch.channels_last)
