"""The networks of the authors' released TensorFlow graph, by its description, and how long they take.

    python -m venv tf && tf/bin/pip install tensorflow-cpu
    tf/bin/python benchmarks/released_graph.py --batch 4 --threads 2

Runs where TensorFlow is, without pg2 or PyTorch; `beside_tensorflow.py` runs it, beside pg2. Prints JSON:
parameters of G1 and G2, and median seconds of a training step of G1 and of a batch's way through both.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf

HEIGHT, WIDTH, POSES = 128, 64, 18
HIDDEN, BOTTLENECK = 128, 64
LEVELS_1, LEVELS_2 = 5, 3  # of G1 and of G2
LEARNING_RATE, BETA = 2e-5, 0.5


class Network(tf.Module):  # type: ignore[misc]
    """Layers whose weights are made when they are first used, in the order of their use."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Any] = []
        self._next = 0

    def __call__(self, *inputs: Any) -> Any:
        """Begin with the first layer."""
        self._next = 0
        return self.drawn(*inputs)

    def drawn(self, *inputs: Any) -> Any:
        """What the network makes of its inputs."""
        raise NotImplementedError

    def _weight(self, shape: tuple[int, ...], spread: float) -> Any:
        if self._next == len(self.weights):
            with tf.init_scope():
                self.weights.append(tf.Variable(tf.random.stateless_normal(shape, (0, self._next)) * spread))
        self._next += 1
        return self.weights[self._next - 1]

    def conv(self, x: Any, width: int, size: int = 3, stride: int = 1, *, linear: bool = False) -> Any:
        """A convolution as `slim.conv2d` makes it: padded to the same size, a bias, a ReLU."""
        inputs = x.shape[-1]
        weight = self._weight((size, size, inputs, width), (2 / (size * size * (inputs + width))) ** 0.5)
        x = tf.nn.conv2d(x, weight, stride, "SAME") + self._weight((width,), 0.0)
        return x if linear else tf.nn.relu(x)

    def dense(self, x: Any, width: int) -> Any:
        """A fully connected layer without an activation."""
        inputs = x.shape[-1]
        return x @ self._weight((inputs, width), (2 / (inputs + width)) ** 0.5) + self._weight((width,), 0.0)


def _doubled(x: Any) -> Any:
    return tf.image.resize(x, (2 * x.shape[1], 2 * x.shape[2]), "nearest")


class Coarse(Network):
    """G1: blocks with an additive shortcut, a fully connected bottleneck, 70,795,075 parameters."""

    def drawn(self, *inputs: Any) -> Any:
        """Source [B, H, W, 3] and heat maps [B, H, W, 18] -> picture [B, H, W, 3]."""
        x, skips = self.conv(tf.concat(inputs, -1), HIDDEN), []
        for level in range(1, LEVELS_1 + 1):
            x = self._block(x, HIDDEN * level)
            skips.append(x)
            if level < LEVELS_1:
                x = self.conv(x, HIDDEN * (level + 1), stride=2)
        height, width = x.shape[1:3]
        x = self.dense(tf.reshape(x, (x.shape[0], -1)), BOTTLENECK)
        x = tf.reshape(self.dense(x, height * width * HIDDEN), (x.shape[0], height, width, HIDDEN))
        for level in reversed(range(1, LEVELS_1 + 1)):
            x = tf.concat((x, skips.pop()), -1)
            x = self._block(x, x.shape[-1])
            if level > 1:
                x = self.conv(_doubled(x), HIDDEN * (level - 1), 1)
        return self.conv(x, 3, linear=True)

    def _block(self, x: Any, width: int) -> Any:
        return x + self.conv(self.conv(x, width), width)


class Refined(Network):
    """G2: no shortcuts, its largest skip is not used, 6,058,883 parameters."""

    def drawn(self, *inputs: Any) -> Any:
        """Coarse picture and source, [B, H, W, 3] each -> difference map [B, H, W, 3]."""
        x, skips = self.conv(tf.concat(inputs, -1), HIDDEN), []
        for level in range(1, LEVELS_2 + 1):
            x = self.conv(self.conv(x, HIDDEN * level), HIDDEN * level)
            skips.append(x)
            if level < LEVELS_2:
                x = self.conv(x, HIDDEN * level, stride=2)
        for level in reversed(range(LEVELS_2)):
            if level > 0:
                x = tf.concat((x, skips[level]), -1)
            x = self.conv(self.conv(x, HIDDEN), HIDDEN)
            if level > 0:
                x = _doubled(x)
        return self.conv(x, 3, linear=True)


def _parameters(network: Network) -> int:
    return sum(int(tf.size(weight)) for weight in network.weights)


def _median(step: Callable[[], Any], rounds: int) -> float:
    times = []
    for _ in range(2 + rounds):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return statistics.median(times[2:])


def main() -> None:
    """Time both, and print what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(given.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    shape = (given.batch, HEIGHT, WIDTH)
    source, target = (tf.random.stateless_normal((*shape, 3), (1, which)) for which in range(2))
    poses, mask = tf.zeros((*shape, POSES)), tf.ones((*shape, 1))
    coarse, refined = Coarse(), Refined()
    coarse(source, poses), refined(source, source)
    optimiser = tf.keras.optimizers.Adam(LEARNING_RATE, beta_1=BETA)

    @tf.function  # type: ignore[untyped-decorator]
    def train() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(coarse(source, poses) - target) * (1 + mask))
        optimiser.apply_gradients(zip(tape.gradient(loss, coarse.weights), coarse.weights, strict=True))
        return loss

    @tf.function  # type: ignore[untyped-decorator]
    def draw() -> Any:
        image = coarse(source, poses)
        return image + refined(image, source)

    print(
        json.dumps(
            {
                "tensorflow": tf.__version__,
                "parameters": [_parameters(coarse), _parameters(refined)],
                "train": _median(lambda: train().numpy(), given.rounds),
                "draw": _median(lambda: draw().numpy(), given.rounds),
            }
        )
    )


if __name__ == "__main__":
    main()
