"""What tests of imports do again and again: bring something in, and look at or spoil its files."""

import os

from safetensors.torch import load_file, save_file

from rf_app.actions.import_model import import_model
from rf_app.actions.run import results

UNET = "unet/diffusion_pytorch_model.safetensors"


def bring_in(app, wish):
    (arrival,) = results(import_model(app, wish))
    return arrival.folder


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def change(path, name, value):
    """Spoil or mend one tensor of a safetensors file, whose size stays; its time does not."""
    tensors = load_file(path)
    tensors[name].view(-1)[0] = value
    save_file(tensors, path, metadata={"format": "pt"})
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))


def saved(tmp_path, tensors, name="Some Model.safetensors", **metadata):
    path = tmp_path / name
    save_file(tensors, path, metadata=metadata or None)
    return path
