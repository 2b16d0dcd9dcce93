"""The words of documents, a module for each language; how dates are written is `formats`'s.

An invoice in a language that is not here gets English words, with its own dates and amounts; a
credit note and the arithmetic of a line are then English in all.
"""

from __future__ import annotations

from typing import Final

from subscriptions.documents.words.dutch import DUTCH, DUTCH_ARITHMETIC, DUTCH_CORRECTION
from subscriptions.documents.words.english import ENGLISH, ENGLISH_ARITHMETIC, ENGLISH_CORRECTION
from subscriptions.documents.words.french import FRENCH, FRENCH_ARITHMETIC, FRENCH_CORRECTION
from subscriptions.documents.words.german import GERMAN, GERMAN_ARITHMETIC, GERMAN_CORRECTION
from subscriptions.documents.words.italian import ITALIAN, ITALIAN_ARITHMETIC, ITALIAN_CORRECTION
from subscriptions.documents.words.polish import POLISH, POLISH_ARITHMETIC, POLISH_CORRECTION
from subscriptions.documents.words.spanish import SPANISH, SPANISH_ARITHMETIC, SPANISH_CORRECTION
from subscriptions.documents.words.vocabulary import ArithmeticWords, CorrectionWords, Words

__all__ = [
    "ARITHMETIC",
    "CORRECTION",
    "WORDS",
    "ArithmeticWords",
    "CorrectionWords",
    "Words",
    "spoken",
    "words_of",
]

WORDS: Final = {
    "de": GERMAN,
    "en": ENGLISH,
    "es": SPANISH,
    "fr": FRENCH,
    "it": ITALIAN,
    "nl": DUTCH,
    "pl": POLISH,
}

CORRECTION: Final = {
    "de": GERMAN_CORRECTION,
    "en": ENGLISH_CORRECTION,
    "es": SPANISH_CORRECTION,
    "fr": FRENCH_CORRECTION,
    "it": ITALIAN_CORRECTION,
    "nl": DUTCH_CORRECTION,
    "pl": POLISH_CORRECTION,
}

ARITHMETIC: Final = {
    "de": GERMAN_ARITHMETIC,
    "en": ENGLISH_ARITHMETIC,
    "es": SPANISH_ARITHMETIC,
    "fr": FRENCH_ARITHMETIC,
    "it": ITALIAN_ARITHMETIC,
    "nl": DUTCH_ARITHMETIC,
    "pl": POLISH_ARITHMETIC,
}


def words_of(language: str) -> Words:
    """Return the words of a BCP 47 tag; English for a language that is not here.

    >>> words_of("de-AT").invoice, words_of("ja").invoice
    ('Rechnung', 'Invoice')
    """
    return WORDS.get(language.partition("-")[0], ENGLISH)


def spoken(language: str) -> str:
    """Return the language of a text that is not mixed: this one, if its words are here, or English.

    >>> spoken("de-AT"), spoken("ja")
    ('de-AT', 'en')
    """
    return language if language.partition("-")[0] in WORDS else "en"
