"""Reports as single HTML files: no server, no network, nothing beside them."""

import base64
import io
from collections.abc import Sequence
from html import escape

from PIL import Image

from pg2.io.pixels import Image8

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fdfdfc; --soft: #5b6068; --line: #d9dbde; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e9eb; --paper: #16181b; --soft: #a6abb3; --line: #3a3e44; }
}
body { margin: 0 auto; max-width: 110rem; padding: 2rem 1.25rem 4rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
h1, h2 { line-height: 1.2; margin: 2.2em 0 .5em; } h1 { margin-top: 0; }
p, li { max-width: 46rem; } p.note, figcaption { color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; background:
  linear-gradient(var(--paper), var(--paper)) left / 1.2rem 100% no-repeat local,
  linear-gradient(var(--paper), var(--paper)) right / 1.2rem 100% no-repeat local,
  linear-gradient(to right, var(--line), transparent) left / .6rem 100% no-repeat,
  linear-gradient(to left, var(--line), transparent) right / .6rem 100% no-repeat; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { vertical-align: bottom; white-space: normal; }
table:not(.pictures) tr > th:first-child { position: sticky; left: 0; background: var(--paper); }
table.pictures td, table.pictures th { padding: .2rem; text-align: center; border: 0; font-size: .85rem; }
table.pictures thead th { width: 1px; }
table.pictures td.note { min-width: 9rem; padding-left: .8rem; text-align: left; white-space: normal;
  overflow-wrap: anywhere; color: var(--soft); }
table.pictures img { display: block; margin: 0 auto; height: 192px; width: auto; border-radius: 3px; }
"""


def page(title: str, body: str) -> str:
    """A whole HTML document; `body` is HTML."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text; `kind` may be "note"."""
    return f'<p class="{escape(kind)}">{escape(text)}</p>'


def bullets(items: Sequence[str]) -> str:
    """A list of plain texts."""
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of plain texts; the first column names its rows."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in headings)
    lines = [
        f'<tr><th scope="row">{escape(row[0])}</th>'
        f"{''.join(f'<td>{escape(text)}</td>' for text in row[1:])}</tr>"
        for row in rows
    ]
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="wide"><table>{body}</table></div>'


def picture(image: Image8, described: str) -> str:
    """An image inside the page, uint8 [H, W, 3], described for those who cannot see it."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    code = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{escape(described)}" src="data:image/png;base64,{code}">'


def picture_table(
    headings: Sequence[str], rows: Sequence[Sequence[Image8]], labels: Sequence[str] = ()
) -> str:
    """Pictures in rows under headings; a label after each row says what there is to say of it."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in headings)
    lines = []
    for number, row in enumerate(rows):
        cells = "".join(
            f"<td>{picture(image, f'{heading}, row {number + 1}')}</td>"
            for heading, image in zip(headings, row, strict=True)
        )
        note = f'<td class="note">{escape(labels[number])}</td>' if labels else ""
        lines.append(f"<tr>{cells}{note}</tr>")
    return (
        f'<div class="wide"><table class="pictures"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
