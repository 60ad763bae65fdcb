"""What a reader, a screen reader, Markdown and a notebook get from the two drawings."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import markdown
import pytest
from playbook_kit.bars import NUMBER, WIDTH, draw_chart
from playbook_kit.chain import LINKS, Chain, Link, State
from playbook_kit.drawing import LINK_PATHS, STATUS_MARKS, draw_chain, draw_graph
from playbook_kit.events import Chart
from playbook_kit.graph import Graph, Node, Status
from playbook_kit.show import chart as show_chart

CSS = Path(__file__).parent.parent / "docs" / "stylesheets" / "figures.css"
LONG_NAME = "0007_alter_book_title_alter_book_subtitle_alter_author_names"
HOSTILE = "a <b>\"bold\"</b> & 'quoted'\n\n    indented ```fence```"


def chain(*states: State, app: str = "", pending: tuple[str, ...] = (), **why: str) -> Chain:
    """A chain; `files_history="…"` is the finding of that link."""
    found = {name.replace("_", "-"): (sentence,) for name, sentence in why.items()}
    links = [
        Link(name, state, found.get(name, ())) for name, state in zip(LINKS, states, strict=True)
    ]
    return Chain("laptop", app, tuple(links), pending)


def graph(*nodes: Node) -> Graph:
    return Graph("laptop", "library", nodes)


WHOLE = chain("whole", "whole", "whole")
BROKEN = chain(
    "whole", "broken", "unknown", files_history="Two leaf nodes.", history_schema="Not loaded."
)
FORK = graph(
    Node("0001_initial", "applied"),
    Node("0002_isbn", "applied", ("0001_initial",), leaf=True),
    Node("0002_year", "pending", ("0001_initial",), leaf=True),
)
WIDE = graph(Node(LONG_NAME, "applied", leaf=True))
HOSTILE_CHAIN = Chain(
    HOSTILE, HOSTILE, (Link("models-files", "broken", (HOSTILE,)), *WHOLE.links[1:]), (HOSTILE,)
)
HOSTILE_GRAPH = Graph(HOSTILE, HOSTILE, (Node(HOSTILE, "ghost", others=(HOSTILE,)),))
COUNTED = Chart("Filling", "statements", (("row by row", 20_000), ("in batches", 40), ("none", 0)))
FRAGMENTS = {
    "chart": draw_chart(COUNTED),
    "hostile chart": draw_chart(Chart(HOSTILE, HOSTILE, ((HOSTILE, 0),))),
    "whole chain": draw_chain(WHOLE),
    "broken chain": draw_chain(BROKEN),
    "hostile chain": draw_chain(HOSTILE_CHAIN),
    "fork": draw_graph(FORK),
    "wide graph": draw_graph(WIDE),
    "hostile graph": draw_graph(HOSTILE_GRAPH),
    "empty graph": draw_graph(graph()),
}
each_fragment = pytest.mark.parametrize("fragment", FRAGMENTS.values(), ids=FRAGMENTS.keys())


def texts(fragment: str, path: str) -> list[str]:
    return [
        "".join(element.itertext()) for element in ElementTree.fromstring(fragment).iterfind(path)
    ]


def alternative(fragment: str) -> str:
    svg = ElementTree.fromstring(fragment).find(".//svg")
    assert svg is not None
    assert svg.get("role") == "img"
    return svg.attrib["aria-label"]


@each_fragment
def test_a_fragment_is_one_figure_that_markdown_takes_for_one_block(fragment: str) -> None:
    assert fragment.startswith("<figure ")
    assert fragment.endswith("</figure>")
    assert not [line for line in fragment.split("\n") if not line or line[0].isspace()]


@each_fragment
@pytest.mark.parametrize("wrapper", ["{}", '<div class="before-after" markdown>\n\n{}\n\n</div>'])
def test_markdown_passes_a_fragment_on_unchanged_but_for_the_order_of_attributes(
    fragment: str, wrapper: str
) -> None:
    source = f"Before.\n\n{wrapper.format(fragment)}\n\nAfter."
    page = markdown.markdown(source, extensions=["md_in_html", "attr_list", "fenced_code"])
    assert ElementTree.canonicalize(fragment) in ElementTree.canonicalize(f"<body>{page}</body>")


@each_fragment
def test_a_fragment_has_no_ids_no_scripts_and_no_addresses(fragment: str) -> None:
    assert not re.search(r"\s(id|on\w+|href|src)=|<script|https?:|url\(", fragment)


@each_fragment
def test_every_shape_has_a_colour_of_its_own_where_there_is_no_stylesheet(fragment: str) -> None:
    root = ElementTree.fromstring(fragment)
    parents = {child: parent for parent in root.iter() for child in parent}
    for shape in [*root.iter("path"), *root.iter("rect"), *root.iter("circle")]:
        colours, at = {shape.get("stroke"), shape.get("fill")}, shape
        while at in parents:
            at = parents[at]
            colours.add(at.get("stroke") if at.tag == "g" else None)
        assert "currentColor" in colours
    assert all(svg.get("fill") == "currentColor" for svg in root.iter("svg"))


def test_text_from_outside_is_escaped_and_stays_on_one_line() -> None:
    shown = " ".join(HOSTILE.split())
    assert texts(FRAGMENTS["hostile chain"], "ul/li") == [f"models \N{EN DASH} files: {shown}"]
    assert any(
        text.startswith(shown)
        for text in texts(FRAGMENTS["hostile graph"], ".//g[@class='names']/text")
    )
    assert "<b>&quot;" not in FRAGMENTS["hostile chain"] + FRAGMENTS["hostile graph"]


def test_the_caption_names_the_place_and_the_app() -> None:
    assert texts(draw_chain(WHOLE), "figcaption") == ["laptop"]
    whose = texts(draw_chain(chain("whole", "whole", "whole", app="library")), "figcaption")
    assert whose == texts(draw_graph(FORK), "figcaption") == ["library on laptop"]


def test_the_three_states_of_a_link_differ_in_line_and_sign_not_in_colour_alone() -> None:
    assert len({re.sub(r"class=\"\w+\"", "", path) for path in LINK_PATHS.values()}) == 3
    assert "stroke-dasharray" in LINK_PATHS["unknown"]
    assert ">?<" in LINK_PATHS["unknown"]
    assert LINK_PATHS["broken"].count("M0 ") == 1 < LINK_PATHS["broken"].count("H")
    drawn = draw_chain(BROKEN)
    assert drawn.index(LINK_PATHS["whole"]) < drawn.index(LINK_PATHS["broken"])
    assert drawn.index(LINK_PATHS["broken"]) < drawn.index(LINK_PATHS["unknown"])


def test_each_finding_stands_below_with_the_name_of_its_link_in_front() -> None:
    assert texts(draw_chain(BROKEN), "ul/li") == [
        "files \N{EN DASH} history: Two leaf nodes.",
        "history \N{EN DASH} schema: Not loaded.",
    ]


def test_a_whole_chain_says_so_in_one_line() -> None:
    assert texts(draw_chain(WHOLE), "p") == ["All three links hold."]


def test_a_link_that_is_not_whole_never_reads_as_if_it_held() -> None:
    drawn = draw_chain(chain("whole", "whole", "unknown"))
    assert texts(drawn, "ul/li") == ["history \N{EN DASH} schema: unknown"]
    assert "All three links hold" not in drawn


def test_pending_migrations_get_one_line_and_none_get_no_line() -> None:
    pending = chain("whole", "whole", "whole", pending=("library.0002_a", "library.0003_b"))
    assert "Still to apply: library.0002_a, library.0003_b" in texts(draw_chain(pending), "p")
    assert "Still to apply" not in draw_chain(WHOLE)


def test_the_text_alternative_of_a_chain_says_each_state_and_counts_the_findings() -> None:
    assert alternative(draw_chain(BROKEN)) == (
        "Chain of laptop: models \N{EN DASH} files whole, files \N{EN DASH} history broken, "
        "history \N{EN DASH} schema unknown; 2 findings"
    )


def test_the_text_alternative_of_a_graph_says_each_migration_its_status_and_its_parents() -> None:
    assert alternative(draw_graph(FORK)) == (
        "Migrations of library on laptop: 0001_initial applied; "
        "0002_isbn applied, leaf, after 0001_initial; 0002_year pending, leaf, after 0001_initial"
    )


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("applied", "0001_initial"),
        ("pending", "0001_initial pending"),
        ("ghost", "0001_initial row without a file"),
        ("missing", "0001_initial named as a parent, no file"),
    ],
)
def test_a_status_shows_in_a_mark_and_in_words(status: Status, words: str) -> None:
    drawn = draw_graph(graph(Node("0001_initial", status)))
    assert STATUS_MARKS[status] in drawn
    assert texts(drawn, ".//g[@class='names']/text") == [words]
    assert len(set(STATUS_MARKS.values())) == len(STATUS_MARKS)


def test_the_word_leaf_appears_only_when_there_are_several_leaves() -> None:
    assert texts(draw_graph(FORK), ".//g[@class='names']/text") == [
        "0001_initial",
        "0002_isbn leaf",
        "0002_year pending, leaf",
    ]
    assert "leaf" not in draw_graph(WIDE)


def test_a_squash_says_how_many_migrations_it_replaces() -> None:
    squash = Node("0001_squashed_0002", "applied", replaces=("0001_initial", "0002_isbn"))
    assert texts(draw_graph(graph(squash)), ".//g[@class='names']/text") == [
        "0001_squashed_0002 replaces 2"
    ]


def test_a_parent_in_another_app_is_named_in_small_text_and_aloud() -> None:
    drawn = draw_graph(graph(Node("0001_initial", "applied", others=("lending.0001_initial",))))
    assert texts(drawn, ".//g[@class='names']/text") == [
        "0001_initial",
        "after lending.0001_initial",
    ]
    assert alternative(drawn).endswith("0001_initial applied, after lending.0001_initial")


def test_a_circle_of_parents_is_told_in_words() -> None:
    circle = graph(Node("0001_a", "pending", ("0002_b",)), Node("0002_b", "pending", ("0001_a",)))
    assert "after 0001_a in a circle" in texts(draw_graph(circle), ".//g[@class='names']/text")


def test_a_migration_of_another_row_never_shares_its_line_or_its_place() -> None:
    places = re.findall(r'class="mark \w+" transform="translate\((\d+ \d+)\)"', draw_graph(FORK))
    assert len(set(places)) == len({place.split()[1] for place in places}) == 3


def test_an_app_without_migrations_says_so_instead_of_drawing_nothing() -> None:
    assert texts(draw_graph(graph()), "p") == ["No migration files and no rows."]


def test_a_wide_graph_keeps_its_size_and_scrolls_by_keyboard_too() -> None:
    box = ElementTree.fromstring(draw_graph(WIDE)).find("div")
    assert box is not None
    assert (box.get("tabindex"), box.get("role")) == ("0", "group")
    assert box.get("aria-label")
    svg = box.find("svg")
    assert svg is not None
    assert svg.get("style") == "max-width:none"
    assert int(svg.attrib["width"]) > 8 * len(LONG_NAME)


def test_a_narrow_graph_has_no_box_that_asks_for_a_tab_stop() -> None:
    assert "tabindex" not in draw_graph(FORK)


def test_no_text_is_smaller_than_12_px() -> None:
    sizes = re.findall(r'font-size="(\d+)"', "".join(FRAGMENTS.values()))
    assert min(map(int, sizes)) == 12


def test_the_same_value_gives_the_same_bytes() -> None:
    assert draw_chain(Chain.from_dict(BROKEN.to_dict())) == draw_chain(BROKEN)
    assert draw_graph(Graph.from_dict(FORK.to_dict())) == draw_graph(FORK)


def test_every_class_that_the_stylesheet_colours_is_one_that_a_drawing_has() -> None:
    rules = re.sub(r"/\*.*?\*/|\{[^{}]*\}", "", CSS.read_text(), flags=re.DOTALL)
    styled = set(re.findall(r"\.([a-z][a-z-]+)", rules)) - {"md-typeset", "before-after"}
    marks = draw_graph(graph(*(Node(f"0001_{status}", status) for status in STATUS_MARKS)))
    pending = draw_chain(chain("broken", "whole", "unknown", pending=("library.0002_a",)))
    drawn = "".join([marks, pending, *FRAGMENTS.values()])
    assert len(styled) > 5
    assert styled <= {
        name for names in re.findall(r'class="([^"]+)"', drawn) for name in names.split()
    }


@pytest.mark.parametrize(("block", "background"), [(0, "#ffffff"), (1, "#1e2129")])
def test_every_colour_has_enough_contrast_for_small_text(block: int, background: str) -> None:
    schemes = re.findall(r"\{((?:\s*--figure-\w+: #\w{6};)+)", CSS.read_text())
    colours = re.findall(r"#\w{6}", schemes[block])
    assert len(schemes) == 2
    assert len(colours) == 5
    for colour in colours:
        lighter, darker = sorted([luminance(colour), luminance(background)], reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, f"{colour} on {background}"


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_bar_is_as_long_as_its_number_which_stands_beside_it() -> None:
    drawn = FRAGMENTS["chart"]
    assert re.findall(r'<rect .*? width="(\d+)"', drawn) == [str(WIDTH - NUMBER), "1", "1"]
    assert texts(drawn, ".//text") == ["row by row", "20,000", "in batches", "40", "none", "0"]
    assert alternative(drawn) == "Filling: statements: row by row 20,000; in batches 40; none 0"
    assert texts(drawn, "figcaption") == ["Filling: statements"]


@pytest.mark.parametrize("numbers", [{}, {"less than nothing": -1}])
def test_a_chart_of_nothing_or_of_less_is_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="from 0 up"):
        show_chart("Filling", "statements", numbers)


def test_plain_python_prints_a_chart_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    show_chart("Filling", "statements", {"row by row": 20_000, "in batches": 40})
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["Filling: statements", "      20,000  row by row", "          40  in batches"]
