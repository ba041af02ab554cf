"""The model's one sentence of why arrives beside the row it was given with."""

import pandas as pd
from fault_server import FaultServer

SAID = "These values are usual in the wanted class."


def rows_of(done):
    return pd.concat(pd.read_parquet(file) for file in sorted(done.folder.glob("cells/*/rows.parquet")))


def test_a_rationale_is_stored_with_its_row_and_quoted_as_the_models_own_words(bench):
    with FaultServer() as server:
        done = bench(server)
    assert rows_of(done)["cf_rationale"].tolist() == [SAID] * 6
    page = (done.folder / "leaderboard.md").read_text()
    assert "**gpt-4-zero-shot**: 6 of 6 rows came with a rationale." in page


def test_a_model_that_is_not_asked_for_any_leaves_no_column(bench):
    with FaultServer() as server:
        done = bench(server, options={"rationale": False})
    assert "cf_rationale" not in rows_of(done)
    assert "What the models say" not in (done.folder / "leaderboard.md").read_text()


def test_equal_rows_of_several_samples_are_one_row_with_one_rationale(bench):
    with FaultServer() as server:
        done = bench(server, k=3, options={"temperature": 1.0})
    assert done.outcomes == {"FOUND": 6}
    rows = rows_of(done)
    assert len(server.bodies) == 18
    assert (rows["cf_rationale"] == SAID).all()
    assert not rows.duplicated(["query_id", *(c for c in rows if not c.startswith("cf_"))]).any()


def test_a_fenced_answer_keeps_its_rationale(bench):
    with FaultServer("fenced") as server:
        assert rows_of(bench(server, queries=2))["cf_rationale"].tolist() == [SAID] * 2
