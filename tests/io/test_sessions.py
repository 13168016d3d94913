"""Opening ONNX files: what onnxruntime says of a damaged one is in the error alone."""

import onnxruntime
import pytest

from pg2.io.sessions import open_session
from pg2.pose.estimator import MOVENET


def test_nothing_is_printed_of_a_file_that_cannot_be_run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Some damage raises a RuntimeError, at which it would print, and try the same again."""
    asked = []

    def fail(self: object, *given: object) -> None:
        asked.append(given)
        raise RuntimeError("damaged")

    monkeypatch.setattr(onnxruntime.InferenceSession, "_create_inference_session", fail)
    with pytest.raises(RuntimeError, match="damaged"):
        open_session(MOVENET)
    assert len(asked) == 1
    assert capfd.readouterr() == ("", "")
