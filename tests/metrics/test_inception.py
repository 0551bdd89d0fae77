"""FID's Inception: the network of pytorch-fid, its weights' names, and what is refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import Inception3

from rf_app.errors import UserError
from rf_app.metrics.inception import Inception


def random_inception(classes: int = 1008) -> dict[str, Tensor]:
    """torchvision's names and shapes; the port has one class more than ImageNet's and the background's."""
    torch.manual_seed(0)
    network = Inception3(classes, aux_logits=False, init_weights=False)
    return {name: value for name, value in network.state_dict().items() if "num_batches_tracked" not in name}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inception") / "inception.safetensors"
    save_file(random_inception(), path)
    return path


def test_the_network_pools_as_tensorflow_s(file: Path) -> None:
    """Each block's last branch, seen from outside: the border does not count, and the last takes maxima."""
    inception = Inception.load(file)
    found: dict[str, tuple[Tensor, Tensor]] = {}
    blocks = {name: block for name, block in inception.network.named_children() if "Mixed" in name}
    for name, block in blocks.items():
        block.register_forward_hook(lambda _, x, y, name=name: found.update({name: (x[0], y)}))
    with torch.no_grad():
        features = inception(torch.rand(1, 3, 64, 80) * 2 - 1)
        assert features.shape == (1, 2048)
        assert torch.allclose(features, found["Mixed_7c"][1].mean((2, 3)))
        for name in ("Mixed_5b", "Mixed_5d", "Mixed_6b", "Mixed_6e", "Mixed_7b", "Mixed_7c"):
            x, y = found[name]
            ones = functional.avg_pool2d(torch.ones_like(x), 3, stride=1, padding=1)
            pooled = functional.avg_pool2d(x, 3, stride=1, padding=1) / ones
            if name == "Mixed_7c":
                pooled = functional.max_pool2d(x, 3, stride=1, padding=1)
            branch = blocks[name].branch_pool(pooled)
            assert torch.allclose(y[:, -branch.shape[1] :], branch, atol=1e-5), name


def test_pictures_are_resized_as_pytorch_fid_does_it(file: Path) -> None:
    inception = Inception.load(file)
    seen = []
    inception.network.Conv2d_1a_3x3.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    inception(images)
    resized = functional.interpolate(images, size=(299, 299), mode="bilinear", align_corners=False)
    assert torch.equal(seen[0], resized)


def test_another_network_s_weights_are_refused(tmp_path: Path) -> None:
    save_file(random_inception(1000), tmp_path / "torchvision.safetensors")
    with pytest.raises(UserError, match=r"fc.weight has the shape \(1000, 2048\); expected \(1008, 2048\)"):
        Inception.load(tmp_path / "torchvision.safetensors")
    save_file({"fc.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=r"Conv2d_1a_3x3\.conv\.weight has the shape None"):
        Inception.load(tmp_path / "other.safetensors")
    torch.save(nn.Linear(1, 1).state_dict(), tmp_path / "port.pth")
    for name in ("port.pth", "absent.safetensors"):
        with pytest.raises(UserError, match="not a complete safetensors file"):
            Inception.load(tmp_path / name)
