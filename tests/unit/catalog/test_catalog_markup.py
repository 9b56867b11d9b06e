"""What merchants may write in descriptions, and that no text makes the cleaner work for long."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.catalog import domain, markup
from chalicelib.catalog.domain import BadProduct, Draft, SkuDraft
from chalicelib.catalog.markup import clean
from chalicelib.kernel import clock
from chalicelib.kernel.money import Money

KEPT = [
    "10 m<sup>2</sup>, 10<sup>3</sup>, H<sub>2</sub>O, <del>199</del> 99, <s>88</s>, <ins>66</ins>",
    "<strike>77</strike>",
    "<dl><dt>Size</dt><dd>M</dd><dt>Wash</dt><dd>30</dd></dl>",
    "<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>",
    '<ol start="3"><li>three</li><li value="7">seven</li></ol>',
    '<table><caption>Sizes</caption><tbody><tr><td colspan="2">a</td></tr></tbody></table>',
    "<table><tbody><tr><td>1<table><tbody><tr><td>2</td></tr></tbody></table></td></tr></tbody></table>",
    '<a href="https://x.example/a?b=1&amp;c=2#d">x</a><a href="/pages/size">y</a>',
    "one<br>two<wbr>three<hr>",
    "<pre>S   M\n88  92</pre>",
    "<dfn>MOQ</dfn>, <big>10</big> <tt>A-1</tt> <acronym>EU</acronym>",
]


@pytest.mark.parametrize("html", KEPT)
def test_what_carries_meaning_is_kept(html: str) -> None:
    assert clean(html) == html


LEFT_OPEN = ("iframe", "object", "template", "svg", "math")


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        *(
            (
                f"<p>Before</p><{tag} src='https://x.example/a'><p>After: 30 days return</p>",
                "<p>Before</p><p>After: 30 days return</p>",
            )
            for tag in (
                "embed",
                "embed/",
                "input",
                "link",
                "meta",
                "base",
                "param",
                "source",
                "track",
                "area",
                "col",
                "frame",
                "EMBED",
                "bgsound",
                "keygen",
            )
        ),
        ("a<object data=x><embed src=y>old</object>b", "ab"),
        ("a<iframe src=x><p>inside</iframe>b", "ab"),
        ("a<svg><style><b>x</b></style><svg></svg>in</svg>b", "ab"),
        ("a<script>if (1<2) document.write('</b><p>')</script>b", "ab"),
        ("a<style>p > b {}</style>b", "ab"),
        ("a<template><p>x</template>b", "ab"),
        ("a<svg/>b<math />c<svg viewBox='0 0 1 1'/>d", "abcd"),
        ("a<script>never ends <b>x</b>", "a"),
        ("a<script src=x />never ends", "a"),
        *((f"a<{tag} src=x>text {end}<b>b</b>", "atext <b>b</b>") for tag in LEFT_OPEN for end in ("", f"</{tag}x>")),
        *((f"a<{tag} src='x'/>text<{tag}>in</{tag}>b", "atextb") for tag in LEFT_OPEN),
    ],
)
def test_of_a_void_tag_only_the_tag_goes_and_of_others_their_content_too(html: str, kept: str) -> None:
    assert clean(html) == kept


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("//cdn.x.example/chart.jpg", "https://cdn.x.example/chart.jpg"),
        (" //x.example/guide ", "https://x.example/guide"),
        ("\t/\n/x.example", "https://x.example"),
        ("/\\evil.example", None),
        ("\\\\evil.example", None),
        ("\\/evil.example", None),
        ("/\t\\evil.example", None),
        ("https:\\\\evil.example", None),
        ("///evil.example", None),
        ("https:///evil.example", None),
        ("https://shop.example@evil.example/", None),
        ("//shop.example@evil.example/", None),
        ("https://", None),
        ("https://.", None),
        ("https:evil.example", None),
        ("javascript:alert(1)", None),
        ("JaVaScRiPt:alert(1)", None),
        ("java\tscript:alert(1)", None),
        ("&#106;avascript:alert(1)", None),
        ("&#x6A&#x61vascript&colon;alert(1)", None),
        ("java&NewLine;script:alert(1)", None),
        ("\x01javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("vbscript:x", None),
        ("guide.html", None),
        ("HTTPS://x.example/A", "HTTPS://x.example/A"),
        ("https://x.example:8443/a b.jpg", "https://x.example:8443/a%20b.jpg"),
        ("/pages/a", "/pages/a"),
        ("/", "/"),
    ],
)
def test_links_and_pictures_lead_where_they_say(value: str, kept: str | None) -> None:
    shown = f'="{kept}"' if kept is not None else None

    assert clean(f'<a href="{value}">x</a>') == (f"<a href{shown}>x</a>" if shown else "<a>x</a>")
    assert clean(f'<img src="{value}">') == (f"<img src{shown}>" if shown else "<img>")


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        ('<p style="x" class="y" title="a > b" id=z>a</p>', "<p>a</p>"),
        ('<img alt="a > b" src="https://x/1.jpg" onerror=x()>', '<img alt="a &gt; b" src="https://x/1.jpg">'),
        ("<td colspan=99999999 rowspan=-1>x</td>", "x"),
        (
            "<table><tr><td colspan=99999999 rowspan=2>x",
            '<table><tbody><tr><td rowspan="2">x</td></tr></tbody></table>',
        ),
        ("<p>a<p>b<ul><li>c<li>d</ul>", "<p>a</p><p>b</p><ul><li>c</li><li>d</li></ul>"),
        ("<b>a<i>b</b>c</i>", "<b>a<i>b</i></b>c"),
        ("a</b></i></p>b", "ab"),
        ("a</br>b<br/>c", "a<br>b<br>c"),
        (
            "&lt;script&gt;alert(1)&lt;/script&gt; &amp;lt; &copy; &#60;b&#62;",
            "&lt;script&gt;alert(1)&lt;/script&gt; &amp;lt; © &lt;b&gt;",
        ),
        (
            "<a href='https://x.example/\"><script>alert(1)</script>'>x</a>",
            '<a href="https://x.example/%22%3E%3Cscript%3Ealert(1)%3C/script%3E">x</a>',
        ),
        ("<!-->a", "a"),
        ("<!--->a", "a"),
        ("<!-- b --!>a", "a"),
        ("<!-- b -- > c -->a", "a"),
        ("""<span data-sheets-value='{"1":2,"2":"a<br>b"}'>Tea</span>""", "<span>Tea</span>"),
        ("""<p title="<b>" data-x='<i>"</i>'>a</p>""", "<p>a</p>"),
        ('<noscript><p title="</noscript><img src=x onerror=alert(1)>">', "<p></p>"),
    ],
)
def test_broken_and_hostile_markup(html: str, kept: str) -> None:
    assert clean(clean(html)) == clean(html)
    shown = clean(html)
    assert "<script" not in shown
    assert not re.search(r"<[^>]*\son", shown)
    if "noscript" not in html:
        assert shown == kept


OPENED = "a b p div li ul td tr table tbody font ruby rt dl dt h1 select option form svg math"
CLOSED = "a b p div li ul td tr table tbody font script svg br"
PIECES = st.sampled_from(
    [
        *(f"<{tag}>" for tag in OPENED.split()),
        *(f"</{tag}>" for tag in CLOSED.split()),
        *("<script>", "<style>", "<!--", "-->", "<![CDATA[", "]]>", "<", ">", "&", "&amp;", "&lt", "&#0;", "'", '"'),
        *(
            '<a href="//x">',
            "<a href='/\\e'>",
            '<img alt="a<b" src=/x>',
            "<b x='",
            "\x00",
            "\r\n",
            "文",
            "<pre>\n\n",
            "<p/>",
        ),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES | st.text(max_size=5), max_size=40))
def test_cleaning_again_changes_nothing_and_nothing_harmful_is_left(pieces: list[str]) -> None:
    once = clean("".join(pieces))

    assert clean(once) == once
    assert not re.search(r"(?i)<(?:script|style|iframe|svg|math|object|form|select)\b", once)
    assert not re.search(r"""(?i)(?:href|src)="(?!https?://[^/\\]|/(?![/\\])|/")""", once)


HOSTILE = [
    "<b>",
    "<a ",
    "<",
    "</",
    "<!--",
    "<!",
    "<!x>",
    "<![",
    "<?",
    "<a x='",
    '<a x=">',
    '<a x="<a" ',
    """<a'"<a"'""",
    "&",
    "&#",
    "&amp",
    "<script>",
    "</x>",
    "<table>",
    "<table><b>x",
    "<div>",
    "<ul><li>",
    "<svg>",
    "<svg/>",
    "</p>",
    "<p>",
    "<b><p>",
    "<a><div>",
    "<b></p>",
    "\n",
    "x ",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_the_work_grows_as_the_text_does(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted: tokens read, characters handed to the parser, characters that come out; not measured."""
    counts: list[tuple[int, int, int]] = []
    read = markup._Nested.read

    def counted(self: markup._Nested, html: str) -> str:
        nested = read(self, html)
        depth = most = 0
        for end, tag in re.findall(r"<(/?)([a-z0-9]+)", nested):
            depth += 0 if tag in markup._VOID else (-1 if end else 1)
            most = max(most, depth)
        counts.append((sum(1 for _ in markup._TOKEN.finditer(html)), len(nested), most))
        return nested

    monkeypatch.setattr(markup._Nested, "read", counted)
    html = piece * (200_000 // len(piece))

    shown = clean(html)

    for tokens, nested, depth in counts:
        assert tokens <= len(html) * 5
        assert nested <= len(html) * 5
        assert depth <= markup.DEPTH
    assert len(counts) <= 2
    assert len(shown) <= len(html) * 5


@pytest.mark.parametrize("attributes", ["x={0}", "href='/{0}'"])
@pytest.mark.parametrize("between", ["<p>", "<div>", "<table><tr><td>", "</i>", "<p></p>"])
def test_open_formatting_is_not_copied_into_every_block(attributes: str, between: str) -> None:
    html = "".join(
        f"<a {attributes.format(number)}><b {attributes.format(number)}>{between}" for number in range(5_000)
    )

    assert len(clean(html + "x")) < 20_000


def draft(**description: str) -> Draft:
    sku = SkuDraft(options=(), price=Money(990))
    return Draft(titles={"en": "Cup"}, category_id="tea", skus=(sku,), description=description)


def test_a_description_over_the_cap_is_refused_before_it_is_cleaned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markup, "clean", lambda html: pytest.fail("was cleaned"))
    half = "<b>" * (domain.MARKUP_CAP // 6)
    for description in ({"en": half * 3}, {"en": half + "x" * 9, "zh": half + "x" * 9}):
        with pytest.raises(BadProduct) as refused:
            domain.create(draft(**description), product_id="prd_1", merchant_id="mer_1", handle="", at=clock.now())
        assert refused.value.params["rule"] == "description_too_long"


def test_a_description_that_is_long_only_by_its_markup_is_taken() -> None:
    wordy = "<p style='" + "margin:0;" * 100 + "'>text</p>"
    long = wordy * (domain.DESCRIPTION_CAP * 2 // len(wordy))

    made = domain.create(draft(en=long), product_id="prd_1", merchant_id="mer_1", handle="", at=clock.now())

    assert made.description["en"] == "<p>text</p>" * (len(long) // len(wordy))
