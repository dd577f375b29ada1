"""Laws of SpecAugment: stretches of at most the set length, seeded, clip by clip."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config import RetrainConfig
from raysernas.corpora.augment import mask


@given(longest_frames=st.integers(1, 30), longest_bands=st.integers(1, 12), seed=st.integers(0, 99))
def test_one_mask_covers_one_stretch_of_at_most_its_length(longest_frames, longest_bands, seed):
    config = RetrainConfig(masks=1, mask_frames=longest_frames, mask_bands=longest_bands)
    masked = mask(torch.ones(3, 20, 10), config, torch.Generator().manual_seed(seed)) == 0
    for clip in masked:
        frames, bands = clip.all(dim=1), clip.all(dim=0)
        for hidden, longest in ((frames, min(longest_frames, 20)), (bands, min(longest_bands, 10))):
            places = hidden.nonzero().flatten().tolist()
            if len(places) < len(hidden):  # a full cover of one axis hides the stretch of the other
                assert len(places) <= longest or bool(clip.all())
                assert places == list(range(places[0], places[0] + len(places))) if places else True


def test_no_masks_change_nothing_and_equal_seeds_mask_equally():
    x = torch.randn(2, 20, 10)
    assert torch.equal(mask(x, RetrainConfig(masks=0), torch.Generator()), x)
    twice = [mask(x, RetrainConfig(), torch.Generator().manual_seed(5)) for _ in range(2)]
    assert torch.equal(*twice)
    assert not torch.equal(twice[0], mask(x, RetrainConfig(), torch.Generator().manual_seed(6)))


def test_clips_are_masked_independently():
    masked = mask(torch.ones(8, 50, 20), RetrainConfig(masks=1, mask_frames=20), torch.Generator().manual_seed(0))
    assert len({tuple(clip.flatten().tolist()) for clip in masked}) == 8
