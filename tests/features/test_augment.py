"""Laws of augmentation: masks of at most the set length, sound changed as far as is asked for, everything
seeded.
"""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.schema import RetrainConfig
from raysernas.features.augment import Change, applied, changes_sound, draw, mask, mixed


@given(longest_frames=st.integers(1, 30), longest_bands=st.integers(1, 12), seed=st.integers(0, 99))
def test_one_mask_covers_one_stretch_of_at_most_its_length(longest_frames, longest_bands, seed):
    config = RetrainConfig(masks=1, mask_frames=longest_frames, mask_bands=longest_bands)
    masked = mask(torch.ones(3, 20, 10), config, torch.Generator().manual_seed(seed), torch.zeros(10)) == 0
    for clip in masked:
        frames, bands = clip.all(dim=1), clip.all(dim=0)
        for hidden, longest in ((frames, min(longest_frames, 20)), (bands, min(longest_bands, 10))):
            places = hidden.nonzero().flatten().tolist()
            if len(places) < len(hidden):  # a full cover of one axis hides the stretch of the other
                assert len(places) <= longest or bool(clip.all())
                assert places == list(range(places[0], places[0] + len(places))) if places else True


def test_no_masks_change_nothing_and_equal_seeds_mask_equally():
    x = torch.randn(2, 20, 10)
    assert torch.equal(mask(x, RetrainConfig(masks=0), torch.Generator(), torch.zeros(10)), x)
    twice = [mask(x, RetrainConfig(), torch.Generator().manual_seed(5), torch.zeros(10)) for _ in range(2)]
    assert torch.equal(*twice)
    assert not torch.equal(
        twice[0], mask(x, RetrainConfig(), torch.Generator().manual_seed(6), torch.zeros(10))
    )


def test_what_is_masked_is_the_mean_of_its_band():
    fill = torch.arange(10.0) + 5
    masked = mask(torch.zeros(6, 20, 10), RetrainConfig(), torch.Generator().manual_seed(1), fill)
    assert masked.any()
    assert torch.equal(masked, torch.where(masked == 0, 0, fill))


def test_frames_without_bands_are_masked_over_time_only():
    config = RetrainConfig(masks=2, mask_frames=5, mask_bands=9)
    masked = mask(
        torch.ones(8, 20, 10), config, torch.Generator().manual_seed(2), torch.zeros(10), bands=False
    )
    assert (masked == 0).any()
    assert torch.equal((masked == 0).any(dim=2), (masked == 0).all(dim=2))


def test_clips_are_masked_independently():
    masked = mask(
        torch.ones(8, 50, 20),
        RetrainConfig(masks=1, mask_frames=20),
        torch.Generator().manual_seed(0),
        torch.zeros(20),
    )
    assert len({tuple(clip.flatten().tolist()) for clip in masked}) == 8


# --- waveforms

RATE_HZ = 16_000


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    """A tone with an even level."""
    return np.sin(2 * np.pi * hz * np.arange(round(RATE_HZ * seconds)) / RATE_HZ).astype(np.float32)


def pitch_of(wave: np.ndarray) -> float:
    """Where its spectrum is highest, Hz."""
    return float(
        np.fft.rfftfreq(len(wave), 1 / RATE_HZ)[np.abs(np.fft.rfft(wave * np.hanning(len(wave)))).argmax()]
    )


def test_no_change_changes_no_sample():
    wave = tone(440)
    np.testing.assert_array_equal(applied(wave, RATE_HZ, Change()), wave)


@pytest.mark.parametrize("speed", [0.5, 0.9, 1.03, 1.1, 2.0])
def test_faster_is_shorter_and_higher(speed):
    faster = applied(tone(440), RATE_HZ, Change(speed=speed))
    assert len(faster) == pytest.approx(RATE_HZ / speed, abs=2)
    assert pitch_of(faster) == pytest.approx(440 * speed, rel=0.01)


@pytest.mark.parametrize("semitones", [-12.0, -1.5, 1.0, 2.0, 7.0])
def test_another_pitch_keeps_the_length(semitones):
    other = applied(tone(440), RATE_HZ, Change(pitch_st=semitones))
    assert len(other) == RATE_HZ
    assert pitch_of(other) == pytest.approx(440 * 2 ** (semitones / 12), rel=0.01)
    assert np.std(other[2000:-2000]) == pytest.approx(np.std(tone(440)), rel=0.1)


def test_an_octave_lower_is_torchaudios():
    """Its resampler takes gigabytes for most other intervals. Phases may differ, as it mirrors the ends of
    the sound.
    """
    from torchaudio.functional import pitch_shift

    wave = (tone(300, 0.5) + 0.5 * tone(710, 0.5)).astype(np.float32)
    expected = pitch_shift(torch.from_numpy(wave), RATE_HZ, -12).numpy()
    found = applied(wave, RATE_HZ, Change(pitch_st=-12.0))
    ours, reference = (
        np.abs(np.fft.rfft(each[1000:-1000] * np.hanning(len(wave) - 2000))) for each in (found, expected)
    )
    np.testing.assert_allclose(ours, reference, atol=0.03 * reference.max())


@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 20.0])
def test_noise_lies_as_far_below_the_sound_as_is_asked_for(snr_db):
    wave = tone(440, 2.0)
    noise = applied(wave, RATE_HZ, Change(snr_db=snr_db, seed=1)) - wave
    assert 10 * np.log10(np.mean(wave**2) / np.mean(noise**2)) == pytest.approx(snr_db, abs=0.2)
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    assert spectrum[: len(spectrum) // 2].mean() == pytest.approx(
        spectrum[len(spectrum) // 2 :].mean(), rel=0.1
    ), "it is white"


def test_noise_hangs_on_its_seed_alone():
    wave = tone(440)
    one, same, other = (applied(wave, RATE_HZ, Change(snr_db=0.0, seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_shift_puts_silence_before_or_cuts_but_leaves_half():
    wave = tone(440)
    later, earlier, gone = (applied(wave, RATE_HZ, Change(shift_s=shift)) for shift in (0.25, -0.25, -5.0))
    np.testing.assert_array_equal(later, np.concatenate([np.zeros(4000, np.float32), wave]))
    np.testing.assert_array_equal(earlier, wave[4000:])
    np.testing.assert_array_equal(gone, wave[8000:])


@given(
    samples=st.integers(1, 3000),
    shift_s=st.floats(-1, 1),
    speed=st.sampled_from([0.5, 1.1, 2.0]),
    pitch_st=st.sampled_from([-24.0, -3.0, 3.0, 24.0]),
)
def test_the_shortest_sound_stays_sound(samples, shift_s, speed, pitch_st):
    wave = np.random.default_rng(samples).standard_normal(samples).astype(np.float32)
    wave.flags.writeable = False  # as it comes from the cache
    found = applied(wave, RATE_HZ, Change(shift_s=shift_s, speed=speed, pitch_st=pitch_st, snr_db=10.0))
    assert len(found) >= 1
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


EVERYTHING = RetrainConfig(
    speeds=(0.9, 1.1), pitches_st=(-2.0, 0.0, 2.0), noise_snr_db=(10.0, 20.0), shift_s=0.2
)


def test_draws_are_seeded_and_take_every_value_that_is_offered():
    drawn, again = (
        [draw(EVERYTHING, rng) for _ in range(100)]
        for rng in (np.random.default_rng(4), np.random.default_rng(4))
    )
    assert drawn == again
    assert {change.speed for change in drawn} == {0.9, 1.1}
    assert {change.pitch_st for change in drawn} == {-2.0, 0.0, 2.0}
    assert {change.snr_db for change in drawn} == {10.0, 20.0}
    shifts = [change.shift_s for change in drawn]
    assert -0.2 <= min(shifts) < -0.1 < 0.1 < max(shifts) <= 0.2
    assert len({change.seed for change in drawn}) == 100


def test_what_is_switched_off_is_not_drawn():
    off = draw(RetrainConfig(), np.random.default_rng(0))
    assert dataclasses.replace(off, seed=0) == Change()
    assert not changes_sound(RetrainConfig())


@pytest.mark.parametrize(
    "setting", [{"speeds": (1.0,)}, {"pitches_st": (0.0,)}, {"noise_snr_db": (20.0,)}, {"shift_s": 0.1}]
)
def test_any_one_setting_switches_varying_sound_on(setting):
    assert changes_sound(RetrainConfig(**setting))


@given(spread=st.floats(1e-3, 100), seed=st.integers(0, 99))
def test_a_mixture_is_a_weighted_mean_of_a_clip_and_its_partner_and_mostly_the_clip(spread, seed):
    x = torch.randn(5, 7, 3, generator=torch.Generator().manual_seed(seed))
    found, partner, share = mixed(x, spread, np.random.default_rng(seed))
    assert 0.5 <= share <= 1
    assert sorted(partner.tolist()) == list(range(5)), "every clip is the partner of one"
    torch.testing.assert_close(found, share * x + (1 - share) * x[partner])


def test_mixtures_are_seeded_and_even_out_as_their_spread_grows():
    x = torch.randn(4, 6, 2)
    once, again = (mixed(x, 0.2, np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(once[0], again[0])
    narrow, wide = (
        np.mean([mixed(x, spread, np.random.default_rng(i))[2] for i in range(200)])
        for spread in (0.05, 50.0)
    )
    assert wide < 0.6 < 0.9 < narrow
