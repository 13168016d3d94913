"""The folder of a run: what it was begun with."""

from pathlib import Path

import pytest

from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.training.recipe import load_recipe
from pg2.training.run_folder import begin


@pytest.mark.parametrize("content", ["[]", "1", "null", '"x"'])
def test_what_it_was_begun_with_is_an_object(tmp_path: Path, tiny: PreparedDataset, content: str) -> None:
    recipe = load_recipe("debug")
    begin(recipe, tiny, tmp_path, None, None, True)
    begin(recipe, tiny, tmp_path, None, None, True)
    (tmp_path / "data.json").write_text(content)
    with pytest.raises(Pg2Error, match=r"data\.json is not what the run was begun with"):
        begin(recipe, tiny, tmp_path, None, None, True)
