"""Files of pictures to features: PIL and torchvision's transforms in two loader processes, the network in this one."""
import pathlib

import PIL
import torch
import torchvision
from networks import load, small_conv_net
from peer import seconds, serve, tensors
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms


class Pictures(Dataset):
    def __init__(self, folder, size, mean, deviation):
        self.files = sorted(pathlib.Path(folder).iterdir())
        self.make = transforms.Compose([
            transforms.Resize(size), transforms.CenterCrop(size), transforms.ToTensor(), transforms.Normalize(mean, deviation)])

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        with Image.open(self.files[index]) as picture:
            return self.make(picture.convert("RGB"))


class Features:
    def __init__(self, settings):
        self.versions = {"torchvision": torchvision.__version__, "Pillow": PIL.__version__}
        self.data, self.batch = Pictures(*(settings[name] for name in ("folder", "size", "mean", "deviation"))), settings["batch"]
        if settings["net"] == "small":
            net, _ = small_conv_net(3)
        else:
            net = torchvision.models.resnet18(weights=None)
            net.fc = nn.Identity()
        self.net = load(net, tensors(settings["file"])).to(memory_format=torch.channels_last).eval()

    def features(self):
        loader = DataLoader(self.data, self.batch, num_workers=2, worker_init_fn=lambda _: torch.set_num_threads(1))
        with torch.inference_mode():
            return torch.cat([self.net(batch.contiguous(memory_format=torch.channels_last)) for batch in loader])

    def round(self):
        return seconds(self.features) / len(self.data)

    def values(self):
        return self.features().flatten().tolist()


serve(Features)
