"""The page: whole by itself, readable in headless Chromium, its tables sortable by mouse and keyboard."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from stored import DUEL, ENTRIES, results

from benchmarks.machine import ROOT
from benchmarks.report import into, page, table
from benchmarks.report.numbers import size, smaller_margin, time
from benchmarks.report.scaling import curves, over_latency
from benchmarks.results import Entry, Results

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
KERNELS = [
    Entry(
        f"test_kernels.py::test_ntt[n=2^{log_n}]", "passed", "", [1e-5 * 2**log_n, 1.1e-5 * 2**log_n],
        {"bytes_moved": 1 << 20, "multiplies": 1 << 18, "scales_with": {"log_n": log_n, "path": "avx2"}},
    )
    for log_n in (13, 14)
]  # fmt: skip
RESULTS = results(entries=ENTRIES + KERNELS)


def test_the_page_is_whole_by_itself() -> None:
    text = page(RESULTS)
    assert not re.search(r"""(src|href)=["']?(?!#|data:)[a-z/]""", text.replace("xlink:href", "href"))
    assert "@import" not in text and "url(http" not in text
    for shown in ("a &lt;processor&gt;", "spu: not there", "assert 1 == 2", "no GPU", "174: 128 bit", "avx2"):
        assert shown in text
    assert text.count("<svg") == 3  # ratios, rooflines, one curve
    assert "<processor>" not in text
    assert not re.search(r"#0[0-9]0[0-9]0[0-9]\b", text)  # every stand-in colour became the page's


def test_a_run_without_anything_still_makes_a_page() -> None:
    assert "<h1>" in page(results(entries=[], duels=[], limits={}))


def test_the_table_of_the_readme() -> None:
    text = table(RESULTS)
    row = "| 1.00 ms | seal 1\\* | 6.00 ms | **4.0** | 4.0 (4.0 to 5.0) | 27.0 / 26.0 |"
    assert "| ckks_rotate | n=2^13, 1 thread " + row in text
    assert "commit 0123456789ab, load 0" in text
    assert "ckks_rotate" not in table(RESULTS, ["ckks_multiply"])


def test_the_readme_has_the_table_of_the_stored_run() -> None:
    stored, readme = Results.load(ROOT / "benchmarks" / "results" / "small.json"), ROOT / "README.md"
    text = readme.read_text()
    assert into(text, stored) == text, "python -m benchmarks report ... --markdown --into README.md"
    assert table(stored, ["ckks_rotate"]).splitlines()[2] in text


def test_a_table_between_markers() -> None:
    marked = "above\n<!-- ratios of ckks_rotate -->\nold\n<!-- end of ratios -->\nbelow\n"
    made = into(marked, RESULTS)
    assert "old" not in made and table(RESULTS) in made
    assert made.startswith("above\n") and made.endswith("-->\nbelow\n")
    assert into(made, RESULTS) == made


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no markers\n", "expected one line"),
        ("<!-- end of ratios -->\n<!-- ratios of ckks_rotate -->\n", "expected one line"),
        ("<!-- ratios of ckks_walk -->\n<!-- end of ratios -->\n", "no ratio of 'ckks_walk'"),
    ],
)
def test_a_text_without_its_markers_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        into(text, RESULTS)


def test_the_stored_run_makes_a_page_with_every_peer() -> None:
    stored = Results.load(ROOT / "benchmarks" / "results" / "small.json")
    assert not stored.failed
    text = page(stored)
    for peer in ("seal", "openfhe", "lattigo", "crypten", "spu"):
        assert f"<td>{peer} " in text
    assert "liboqs: the package liboqs-python is not installed" in text


def test_who_has_the_smaller_margin() -> None:
    assert smaller_margin(DUEL) == "peer"
    assert smaller_margin(replace(DUEL, ours=DUEL.peer, peer=DUEL.ours)) == "ours"
    assert smaller_margin(replace(DUEL, ours=DUEL.peer)) == ""


def test_numbers_for_people() -> None:
    assert [time(s) for s in (2.0, 0.0123, 4.56e-5, 7.8e-8)] == ["2.00 s", "12.3 ms", "45.6 µs", "78.0 ns"]
    assert [size(b) for b in (None, 12, 3456, 7_890_000)] == ["", "12 B", "3.46 kB", "7.89 MB"]


PROBE = """<script>
const said = [];
const order = () => [...document.querySelector("#all tbody").rows].map((row) => row.cells[1].dataset.value);
const button = document.querySelectorAll("#all th button")[1];
const heading = button.parentElement;
said.push(order().join(" "));
button.click();
said.push(heading.getAttribute("aria-sort"), order().join(" "));
button.focus();
said.push(document.activeElement === button);
button.click();
said.push(heading.getAttribute("aria-sort"), order().join(" "));
said.push(document.documentElement.scrollWidth <= window.innerWidth + 1);
document.title = said.join("|");
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs headless Chromium")
def test_the_page_in_chromium(tmp_path: Path) -> None:
    """At a phone's width: nothing on the console, sorted up and down, focus for the keyboard."""
    path = tmp_path / "page.html"
    # What a button does on a click it does on Enter and Space, and it is in the order of the Tab key.
    path.write_text(page(RESULTS).replace("</body>", PROBE + "</body>"))
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        "--window-size=500,900",
        f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in result.stderr, result.stderr
    title = re.search(r"<title>(.*)</title>", result.stdout)
    assert title is not None
    first, up, rising, focused, down, falling, fits = title[1].split("|")
    assert (up, down, focused, fits) == ("ascending", "descending", "true", "true")
    assert [float(x) for x in rising.split()] == sorted(float(x) for x in first.split())
    assert falling.split() == rising.split()[::-1]
    assert len(set(rising.split())) == 3


def test_waiting_is_computed_from_rounds_and_bytes() -> None:
    counted = {"rounds": 3, "bytes_sent": 12_500_000, "dealer_rounds": 1, "dealer_bytes": 0}
    entry = Entry("test_mpc.py::test_step[rows=8]", "passed", "", [0.5], counted)
    facts = {"rounds": 2, "bytes": 25_000_000}
    duel = replace(DUEL, ours=replace(DUEL.ours, samples_s=[0.5], facts=facts))
    drawn = over_latency([entry, *ENTRIES], [duel])
    of_entry, of_duel = (next(iter(lines.values())) for lines in drawn.values())
    assert [ms for ms, _ in of_entry] == [ms for ms, _ in of_duel] == [0, 1, 10, 40, 100]
    assert [s for _, s in of_entry] == pytest.approx([1.5, 1.505, 1.55, 1.7, 2.0])
    assert [s for _, s in of_duel] == pytest.approx([1.5, 1.502, 1.52, 1.58, 1.7])
    assert len(drawn) == 2 and all(len(lines) == 1 for lines in drawn.values())


def test_curves_keep_different_work_apart() -> None:
    """Verbs that only the id names are lines of their own."""
    entries = [
        Entry(f"test_he.py::test_verb[n=2^13-{verb}-threads={n}]", "passed", "", [seconds / n],
              {"scales_with": {"log_n": 13, "threads": n}})
        for verb, seconds in (("add", 1.0), ("rotate", 4.0)) for n in (1, 2)
    ]  # fmt: skip
    lines = curves(entries)["test_he.py::test_verb", "threads"]
    assert lines["add, log_n=13"] == [(1, 1.0), (2, 0.5)]
    assert lines["rotate, log_n=13"] == [(1, 4.0), (2, 2.0)]
