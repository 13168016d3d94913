"""HTML pages: whole documents in which nothing of a name is taken for markup."""

import base64
import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from pg2.reports.html import bullets, page, paragraph, picture, picture_table, table


def test_a_page_is_well_formed_and_escapes_names() -> None:
    body = "\n".join(
        [
            paragraph("a < b & c", "note"),
            bullets(["<i>one</i>", "two"]),
            table(["model", '"SSIM"'], [["<script>", "0.5"]]),
            picture_table(["a & b"], [[np.zeros((4, 3, 3), np.uint8)]], ["<worst>"]),
        ]
    )
    text = page("T < 1", body)
    assert text.startswith("<!doctype html>")
    document = text.removeprefix("<!doctype html>\n").replace('<meta charset="utf-8">', "")
    for tag in ("meta", "img"):
        # Elements without an end are closed for the parser of XML.
        parts = document.split(f"<{tag} ")
        document = parts[0] + "".join(f"<{tag} {part.replace('>', '/>', 1)}" for part in parts[1:])
    found = ElementTree.fromstring(document)
    assert "".join(found.itertext()).count("<script>") == 1
    assert found.find(".//script") is None
    assert found.find(".//i") is None


def test_a_picture_is_inside_the_page() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    code = picture(image, 'a "person"')
    assert "a &quot;person&quot;" in code
    data = base64.b64decode(code.partition("base64,")[2].partition('"')[0])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), image)


def test_rows_and_headings_must_match() -> None:
    with pytest.raises(ValueError, match="shorter"):
        picture_table(["one", "two"], [[np.zeros((4, 3, 3), np.uint8)]])
