from __future__ import annotations

from time import process_time

import pytest

from chalicelib.catalog import search_words
from chalicelib.catalog.markup import clean


def test_titles_are_found_by_words_characters_and_pairs() -> None:
    assert search_words.tokens(["红色 Dress 2026", "ＣＡＦÉ"]) == ("红色", "红", "色", "dress", "2026", "cafe")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("连衣裙", True),
        ("连衣裙 RED", True),
        ("裙", True),
        ("红衣", False),
        ("裙连衣", False),
        ("dres", False),
        ("Dress-red", True),
        ("ｄｒｅｓｓ", True),
        ("dress 2027", False),
    ],
)
def test_a_title_shows_every_word_of_the_question(query: str, found: bool) -> None:
    assert search_words.question(query).matches(["红色连衣裙", "Red Dress 2026"]) is found


def test_a_question_without_words_has_no_tokens() -> None:
    assert search_words.question(" ?! ,。").tokens == ()


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        ("plain 5 > 3 & more", "plain 5 &gt; 3 &amp; more"),
        ("<p>a<script>alert(1)</script>b</p>", "<p>ab</p>"),
        ('<p onclick="x()" style="a">a</p>', "<p>a</p>"),
        ('<a href="javascript:x()">a</a>', "<a>a</a>"),
        ('<a href=" JAVAscript:x()">a</a><a href="//evil">b</a>', '<a>a</a><a href="https://evil">b</a>'),
        (
            '<img src=x onerror=alert(1)><img src="https://p/1.jpg" alt="a&quot;b">',
            '<img><img src="https://p/1.jpg" alt="a&quot;b">',
        ),
        ("<b><i>open", "<b><i>open</i></b>"),
        ("</p><svg><a href='https://x'>y</a></svg><li>z</li>", "<li>z</li>"),
        ("<form><input>text</form>", "text"),
        ("<scr<script>ipt>alert(1)</script>", "&lt;scr"),
    ],
)
def test_only_harmless_markup_is_kept_and_cleaning_again_changes_nothing(html: str, kept: str) -> None:
    assert clean(html) == kept
    assert clean(kept) == kept


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        ("<![if !supportLists]>a<![endif]>", "a"),
        ("<![x>b", "b"),
        ("<!DOCTYPE html><p>c</p>", "<p>c</p>"),
        ("<?php echo 1 ?>d", "d"),
        ("e<!-- <b>no</b> --><b>f</b>", "e<b>f</b>"),
        ("g<!-- never ends <b>", "g"),
        ("5 < 6 <b>h</b>", "5 &lt; 6 <b>h</b>"),
        ("i<", "i&lt;"),
        ("<a <b>j</b>", "&lt;a <b>j</b>"),
    ],
)
def test_what_is_no_tag_is_text_or_nothing(html: str, kept: str) -> None:
    assert (clean(html), clean(kept)) == (kept, kept)


@pytest.mark.parametrize(
    "piece",
    [
        "<a ",
        "<",
        "</",
        "<!--",
        "<!",
        "<!x>",
        "<![",
        "<![x>",
        "<?",
        "<?>",
        "<a x='",
        "<a x='>",
        '<a x=">',
        "&",
        "&#",
        "<script>",
        "</x>",
    ],
)
def test_no_text_takes_the_cleaner_long(piece: str) -> None:
    began = process_time()
    clean(piece * (50_000 // len(piece)))
    clean("<b>" + piece * (50_000 // len(piece)) + "</b>")
    assert process_time() - began < 2
