"""Text of strangers is seen on a page as it was written, and does nothing there."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sensecf_bench.reports.escaping import JOINERS, inert

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
WITHOUT_LINK = "<!-- -->"
PIECES = st.sampled_from(
    ["<script>", "</p>", "&lt;", "&#64;", "[x](y)", "![i](j)", "[a]: b", "<https://x.example>", "https://x.example", "www.", "WwW.x",
     "me@x.example", "`", "``", "*", "**", "_", "~~", "|", "\\", "\n", "\n\n", "    ", "# ", "> ", "- ", "1. ", "---", "===", "$x$",
     "<!--", "-->", "\u202e", "\u2028", "\x00", "\r", "é", "31.2"]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=8).map("".join)


def plain(text):
    """What a person should see of it, by another road: white space as single spaces, and nothing that is not seen."""
    seen = [c for c in text if c.isspace() or c in JOINERS or unicodedata.category(c) not in ("Cc", "Cf", "Cs")]
    return " ".join("".join(seen).split())


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_a_reader_of_markdown_sees_the_text_and_nothing_else(text):
    tokens = READER.parse(f"- q: a\n  > “{inert(text)}”")
    assert [t.type for t in tokens] == [
        "bullet_list_open", "list_item_open", "paragraph_open", "inline", "paragraph_close", "blockquote_open",
        "paragraph_open", "inline", "paragraph_close", "blockquote_close", "list_item_close", "bullet_list_close",
    ]  # fmt: skip
    inside = [t for t in tokens[7].children if t.content != WITHOUT_LINK]
    assert {t.type for t in inside} <= {"text", "text_special"}
    assert "".join(t.content for t in inside) == f"“{plain(text)}”"


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_nothing_is_left_of_which_a_page_makes_a_link(text):
    """GitHub's readers link bare addresses, which the standard does not: by these marks they know them."""
    page = inert(text).lower()
    assert page.count("://") == page.count("\\://")
    assert "www." not in page
    assert page.count("@") == page.count(f"{WITHOUT_LINK}@")


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.integers(1, 40))
def test_what_is_cut_is_the_beginning_with_an_ellipsis(text, most):
    whole, cut = plain(text), READER.parseInline(f"“{inert(text, most)}”")[0].children
    seen = "".join(t.content for t in cut if t.content != WITHOUT_LINK)[1:-1]
    assert len(seen) <= most
    assert seen == whole or (len(whole) > most and seen.endswith("…") and whole.startswith(seen[:-1]))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("bmi_kg_m2 31.2", r"bmi\_kg\_m2 31.2"),
        ("a\n\nb", "a b"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("www.x.example", r"www\.x.example"),
        ("me@x.example", "me<!-- -->@x.example"),
        ("https://x.example", r"https\://x.example"),
        ("\U0001f469\u200d\u2695\ufe0f", "\U0001f469\u200d\u2695\ufe0f"),
    ],
)
def test_only_what_would_act_is_escaped(text, written):
    assert inert(text) == written
