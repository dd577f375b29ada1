"""Folds that others have published, as data: the speakers or sessions that each fold tests.

Speakers are named as the readers name them. The order of folds is that of their authors.
"""

from collections.abc import Mapping

Group = tuple[str, ...]

# EmoBox (github.com/emo-box/EmoBox), commit 08280f2, the folders data/*/fold_*
EMOBOX: Mapping[str, tuple[Group, ...]] = {  # corpus -> the speakers that each fold tests
    "ravdess": (
        ("01", "11", "20", "21"),
        ("04", "10", "12", "14"),
        ("08", "09", "19", "23"),
        ("03", "05", "07", "24"),
        ("02", "15", "16", "18"),
        ("06", "13", "17", "22"),
    ),
    "savee": (("JE",), ("KL",), ("DC",), ("JK",)),
    "emovo": (("f2",), ("m3",), ("m2",), ("f3",), ("f1",), ("m1",)),
}
EMOBOX_BY_SESSION = ("iemocap",)  # fold k tests session k
# these folds test speakers that they train on, and name files only
EMOBOX_SAME_SPEAKERS = ("crema_d", "emodb", "tess")

# Luna-Jiménez et al., with the validation actors of github.com/Mak-Sim/ResLSTM-SER, commit f2b7439,
# train.ipynb
LUNA_JIMENEZ: tuple[tuple[Group, Group], ...] = (  # actors tested, actors that validate
    (("02", "05", "14", "15", "16"), ("03", "06")),
    (("03", "06", "07", "13", "18"), ("10", "11")),
    (("10", "11", "12", "19", "20"), ("08", "17")),
    (("08", "17", "21", "23", "24"), ("01", "14")),
    (("01", "04", "09", "22"), ("02", "05")),
)

# The code of arXiv 2305.14402 (github.com/jayaneetha/emoDARTS), its folder prepare-dataset
PUBLISHED_IEMOCAP: tuple[Group, ...] = (
    ("01M", "02F"),
    ("02M", "03F"),
    ("03M", "04F"),
    ("04M", "05F"),
    ("05M", "01F"),
)
PUBLISHED_MSP_IMPROV: Group = ("1", "2", "3", "5")  # sessions; 4 and 6 are always trained on
# groups; speakers in the order of their names, a group ends when it holds more than n // 5 utterances
PUBLISHED_MSP_PODCAST = 5
