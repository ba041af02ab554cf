"""The Cleveland table: from a file in the original layout, and by download."""

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from sensecf_bench.contracts import Dataset
from sensecf_bench.datasets import heart_disease
from sensecf_bench.datasets.downloads import PublicFile
from sensecf_bench.datasets.heart_disease import COLUMNS, SOURCE, HeartDisease
from sensecf_bench.engine.config import RunConfig
from sensecf_bench.engine.context import prepare_data
from sensecf_bench.engine.plan import make_plan
from sensecf_bench.errors import ConfigError, DataError
from sensecf_bench.registry import discover

# Made-up people in the layout of the original: 14 columns, no header, floats but for the grade, ? for missing.
LINES = [
    "50.0,1.0,1.0,130.0,220.0,1.0,2.0,160.0,0.0,1.3,3.0,0.0,6.0,0",
    "61.0,0.0,4.0,150.0,301.0,0.0,0.0,120.0,1.0,2.0,2.0,3.0,3.0,2",
    "45.0,1.0,2.0,118.0,199.0,0.0,1.0,171.0,0.0,0.0,1.0,?,7.0,0",
    "58.0,0.0,3.0,128.0,246.0,0.0,0.0,139.0,0.0,0.6,1.0,1.0,?,4",
    "39.0,1.0,3.0,140.0,321.0,0.0,2.0,182.0,0.0,0.0,1.0,0.0,3.0,1",
]
CONTENT = ("\n".join(LINES) + "\n").encode()


@pytest.fixture
def original(tmp_path):
    def write(content=CONTENT):
        path = tmp_path / "processed.cleveland.data"
        path.write_bytes(content)
        return HeartDisease(HeartDisease.Options(path=path))

    return write


def changed(line, column, value):
    """The small file with one cell otherwise."""
    cells = [row.split(",") for row in LINES]
    cells[line][column] = value
    return "\n".join(",".join(row) for row in cells).encode()


# -- the table -----------------------------------------------------------------------------------------------------------
def test_the_original_layout_is_read_in_clinical_words(original):
    table = original().load()
    assert table.frame.to_dict("records")[1] == {
        "age_years": 61,
        "sex": "female",
        "chest_pain": "asymptomatic",
        "resting_systolic_bp_mmhg": 150,
        "cholesterol_mg_dl": 301,
        "fasting_glucose_above_120_mg_dl": "no",
        "resting_ecg": "normal",
        "max_heart_rate_bpm": 120,
        "exercise_angina": "yes",
        "st_depression_mm": 2.0,
        "st_slope": "flat",
        "major_vessels": 3,
        "thallium_scan": "normal",
    }
    assert (table.classes, table.undesired) == (("no disease", "disease"), 1)
    assert table.outcome.tolist() == [0, 1, 1]  # any grade above 0 is disease


def test_rows_with_missing_findings_are_left_out_and_counted_and_ids_stay_those_of_the_file(original):
    table = original().load()
    assert table.ids == ("patient-000", "patient-001", "patient-004")
    assert "2 of 5 rows have missing values and are left out" in table.source


def test_the_schema_fits_the_frame_and_says_what_cannot_change(original):
    table = original().load()
    matrix = table.schema.encode(table.frame)
    low, high = table.schema.hard_bounds
    assert ((matrix >= low) & (matrix <= high)).all()
    assert {f.name for f in table.schema.features if not f.mutable} == {
        "age_years", "sex", "major_vessels", "thallium_scan"
    }  # fmt: skip
    assert len({c.original for c in COLUMNS}) == 13
    assert all(f.description and f.group for f in table.schema.features)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(0, 2, "5.0"), r"line 1, column 'cp': '5.0' is not one of the codes 1, 2, 3, 4"),
        (changed(2, 12, "2.0"), r"line 3, column 'thal': '2.0' is not one of the codes 3, 6, 7"),
        (changed(1, 3, "15.0"), r"line 2, column 'trestbps': '15.0' is not between 50.0 and 300.0"),
        (changed(1, 3, "nan"), r"line 2, column 'trestbps': 'nan' is not between"),
        (changed(1, 0, "61.5"), r"line 2, column 'age': '61.5' is not a whole number"),
        (changed(4, 13, "10"), r"line 5, column 'num': '10' is not a grade from 0 to 4"),
        (changed(4, 13, "?"), r"line 5, column 'num': '\?' is not a grade"),
        (changed(4, 13, "0.5"), r"line 5, column 'num': '0.5' is not a grade"),
        (changed(3, 4, ""), r"line 4, column 'chol': '' is not a number or \?"),
        (b"age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,num\n", "line 1, column 'age'"),
        (CONTENT[:-20], r"line 5 has \d+ columns, not 14"),
        (b"63;1;1\n", "line 1 has 1 columns, not 14"),
        (b"\xff\xfe", "not text in ASCII"),
        (b"", "no row without missing values"),
        (LINES[2].encode(), "no row without missing values"),
    ],
)
def test_what_is_not_the_original_is_refused_naming_line_and_column(original, content, message):
    with pytest.raises(DataError, match=message) as caught:
        original(content).load()
    assert "processed.cleveland.data" in caught.value.message
    assert "heart-disease.download=true" in caught.value.fix


def test_without_the_file_the_cure_is_named(tmp_path):
    with pytest.raises(DataError, match=r"needs UCI's file processed.cleveland.data") as caught:
        HeartDisease().load()
    assert "--datasets heart-disease:FILE" in caught.value.fix
    with pytest.raises(DataError, match=r"cannot read .*absent.data: No such file") as caught:
        HeartDisease(HeartDisease.Options(path=tmp_path / "absent.data")).load()
    assert "heart-disease.download=true" in caught.value.fix


@pytest.mark.parametrize("column", range(13))
def test_any_finding_may_be_missing(original, column):
    assert len(original(changed(0, column, "?")).load().frame) == 2


def test_a_whole_table_can_be_split(original):
    rng = np.random.default_rng(0)
    lines = []
    for i in range(120):
        cells = LINES[(0, 1, 4)[i % 3]].split(",")
        cells[0], cells[3], cells[4] = (f"{v}.0" for v in (30 + i % 40, 100 + i, 150 + int(rng.integers(200))))
        lines.append(",".join(cells))
    data = prepare_data(original("\n".join(lines).encode()), seed=0)
    assert len(data.train) + len(data.validation) + len(data.test) == 120


# -- in a run --------------------------------------------------------------------------------------------------------------
def planned(**settings):
    plan = make_plan(RunConfig(classifiers=("svm",), generators=("identity",), **settings), discover())
    return [cell.context.dataset for cell in plan.cells]


def test_it_is_asked_for_by_path_or_download_and_never_by_default(tmp_path):
    assert "heart-disease" not in RunConfig().datasets
    (by_path,) = planned(datasets=(f"heart-disease:{tmp_path}/x.data",))
    assert by_path.make().options.path == tmp_path / "x.data"
    (by_download,) = planned(datasets=("heart-disease",), options={"heart-disease": {"download": True}})
    assert by_download.make().options.download
    with pytest.raises(ConfigError, match="'heart-disease' needs an argument"):
        planned(datasets=("heart-disease",))
    assert isinstance(by_path.make(), Dataset)


# -- the download ------------------------------------------------------------------------------------------------------------
class Served:
    """What a small web server on this machine answers, and how often it was asked."""

    def __init__(self, content=CONTENT, status=200, announced=None):
        self.content, self.status, self.announced, self.asked = content, status, announced, 0


@contextmanager
def server(served):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.asked += 1
            self.send_response(served.status)
            self.send_header("Content-Length", str(served.announced or len(served.content)))
            self.end_headers()
            self.wfile.write(served.content)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield PublicFile(
                f"http://127.0.0.1:{running.server_port}/processed.cleveland.data",
                len(CONTENT),
                hashlib.sha256(CONTENT).hexdigest(),
            )
        finally:
            running.shutdown()
            thread.join()


def test_it_is_downloaded_once_and_then_read_from_the_cache(tmp_path, monkeypatch):
    import platformdirs

    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)
    served = Served()
    with server(served) as source:
        monkeypatch.setattr(heart_disease, "SOURCE", source)
        tables = [HeartDisease(HeartDisease.Options(download=True)).load() for _ in range(2)]
    assert served.asked == 1
    assert tables[0].frame.equals(tables[1].frame)
    folder = tmp_path / "sensecf-bench" / "heart-disease"
    assert [f.name for f in folder.iterdir()] == ["processed.cleveland.data"]
    assert (folder / "processed.cleveland.data").read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_fetched_anew(tmp_path):
    (tmp_path / "processed.cleveland.data").write_bytes(CONTENT[:100])
    served = Served()
    with server(served) as source:
        assert source.fetched(tmp_path).read_bytes() == CONTENT
    assert served.asked == 1


@pytest.mark.parametrize(
    ("served", "message"),
    [
        (Served(CONTENT.replace(b"50.0", b"51.0")), "did not give the file that was meant: .* expected 301 bytes"),
        (Served(b"<html>moved</html>"), "that was meant: 18 bytes"),
        (Served(CONTENT * 100), "that was meant: 302 bytes"),
        (Served(b"gone", status=404), "cannot download http://127.0.0.1.*: HTTP 404"),
        (Served(b"busy", status=503), "HTTP 503"),
        (
            Served(CONTENT[:50], announced=len(CONTENT)),
            "that was meant: 50 bytes",
        ),
    ],
    ids=["altered", "another", "too-long", "not-found", "unavailable", "cut-off"],
)
def test_a_download_that_goes_wrong_leaves_nothing_behind(tmp_path, served, message):
    with server(served) as source, pytest.raises(DataError, match=message) as caught:
        source.fetched(tmp_path / "cache")
    assert "path" in caught.value.fix
    assert not list(tmp_path.rglob("*.data*"))


def test_nobody_answering_is_an_error_that_says_so(tmp_path):
    with server(Served()) as source:
        pass
    with pytest.raises(DataError, match=r"cannot download .*refused"):
        source.fetched(tmp_path)


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    with server(Served()) as source, pytest.raises(DataError, match=r"cannot keep .* in .*cache: "):
        source.fetched(tmp_path / "cache")


def test_an_interrupted_write_leaves_no_half_file(tmp_path, monkeypatch):
    from pathlib import Path

    def interrupted(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with server(Served()) as source, pytest.raises(KeyboardInterrupt):
        source.fetched(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_pinned_is_uci_s_address_over_a_safe_connection():
    assert SOURCE.url.startswith("https://archive.ics.uci.edu/")
    assert len(bytes.fromhex(SOURCE.sha256)) == 32
