"""Networks in ONNX files, opened on the processor."""

from pathlib import Path

import onnxruntime


def open_session(model: Path | bytes, threads: int | None = None) -> onnxruntime.InferenceSession:
    """An ONNX file, or the content of one, ready to run.

    Args:
        model: the file.
        threads: processor threads to use; None leaves the number to onnxruntime (one a core).

    Raises:
        Exception: one of onnxruntime's, which share no base class: it is no such file, or damaged.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    # Idle threads sleep instead of spinning, so that the cores are free for others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Without a second attempt, which would be the same, and of which onnxruntime tells on stdout.
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)
