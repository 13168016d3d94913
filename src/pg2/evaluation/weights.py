"""Reading the weights of networks that pg2 does not ship."""

from pathlib import Path

import torch
from torch import nn

from pg2.errors import Pg2Error


def load_state(network: nn.Module, path: str | Path, what: str) -> None:
    """Load a file of weights (safetensors, or what `torch.save` wrote) into a network.

    Nothing in the file is executed. Further tensors in it are left alone.

    Args:
        network: may be on the meta device.
        path: the file.
        what: the network that the file should hold, for errors.

    Raises:
        Pg2Error: the file is absent, cut short, not weights, or of another network.
    """
    path = Path(path)
    if not path.is_file():
        raise Pg2Error(f"there is no file {path}; give the weights of {what}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle, safetensors and the system each have errors of their own
        raise Pg2Error(
            f"{path} cannot be read as the weights of {what}; was its download cut short? Get it again"
        ) from error
    wanted = network.state_dict()
    for name, value in wanted.items():
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, torch.zeros((), dtype=torch.long))
        elif name not in state:
            raise Pg2Error(f"{path} holds another network than {what}: it has no {name}")
        elif state[name].shape != value.shape:
            raise Pg2Error(
                f"{path} holds another network than {what}: its {name} is {list(state[name].shape)}, "
                f"not {list(value.shape)}"
            )
    # Into the network's own precision: weights may be stored in half of it.
    network.load_state_dict({name: state[name].to(wanted[name].dtype) for name in wanted}, assign=True)
