"""How people write the cells of a table: genders in several languages, unknown talkers, empty cells, and
words that mean the same.

In: the text of a cell, without outer blanks. Out: what it means.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from raysernas.corpora.corpus import Gender

# what programs write into empty cells; as a name, None or NA would be odd, and a note tells them anyway
EMPTY = frozenset(("nan", "NaN", "NAN", "NaT", "NA", "<NA>", "N/A", "n/a", "null", "NULL", "None"))
UNKNOWN = frozenset(("unknown", "unk", "unbekannt", "inconnu", "desconocido", "sconosciuto", "?", "-", "--"))
FEMALE = (
    "female f w k v woman weiblich frau femme féminin femminile donna mujer femenino kobieta kvinna vrouw"
)
MALE = "male m h man männlich mann homme masculin maschile uomo hombre masculino mężczyzna"
NEITHER = "unknown unk other diverse divers non-binary nonbinary x ? -"
GENDERS: Mapping[str, Gender] = {
    **dict.fromkeys(FEMALE.split(), "female"),
    **dict.fromkeys(MALE.split(), "male"),
    **dict.fromkeys(("", *NEITHER.split(), *(word.casefold() for word in EMPTY)), "unknown"),
}
GENDERS_TOLD = "female, male, unknown, or an initial: f, w, m"
MASCULINE, MAN_OR_WOMAN = "h", "m"  # in Spanish, m beside h is mujer


def is_empty(text: str) -> bool:
    """Whether a cell is empty, or says so."""
    return not text or text in EMPTY


def is_unknown(text: str) -> bool:
    """Whether a cell says that nobody knows."""
    return text in EMPTY or text.casefold() in UNKNOWN


def gender(text: str) -> Gender | None:
    """The gender that a cell means; None for a word that is none."""
    return GENDERS.get(text.casefold().rstrip("."))


def ambiguous(texts: Iterable[str]) -> bool:
    """Whether the genders of a table are written h and m, which is French or Spanish."""
    return {MASCULINE, MAN_OR_WOMAN} <= {text.casefold().rstrip(".") for text in texts}


def variants(words: Iterable[str]) -> list[dict[str, int]]:
    """Words that differ only in capitals, blanks, hyphens or leading zeros: each spelling and how often it
    stands; sorted.
    """
    alike: dict[str, Counter[str]] = defaultdict(Counter)
    for word in words:
        alike[_core(word)][word] += 1
    return sorted((dict(sorted(ways.items())) for ways in alike.values() if len(ways) > 1), key=min)


def _core(word: str) -> str:
    """`SPK_007`, `spk 7` and `spk-7` are `spk7`."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[\s_-]+", "", word.casefold()))
