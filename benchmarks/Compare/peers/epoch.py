"""A whole SimCLR epoch: pictures in memory, torchvision's views in two loader processes, the small conv net."""
import numpy
import torch
import torchvision
from networks import small_conv_net
from peer import seconds, serve, tensors
from PIL import Image
from simclr import SimClr, nt_xent, optimizer_of
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms


class TwoViews(Dataset):
    def __init__(self, pictures):
        self.pictures = pictures
        jitter = transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)
        self.make = transforms.Compose([
            transforms.RandomResizedCrop(28, (0.08, 1)), transforms.RandomHorizontalFlip(), transforms.RandomApply([jitter], 0.8),
            transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        picture = Image.fromarray(self.pictures[index])
        return self.make(picture), self.make(picture)


class Epoch:
    def __init__(self, settings):
        torch.manual_seed(1)
        self.versions = {"torchvision": torchvision.__version__}
        self.settings = settings
        self.data = TwoViews(tensors(settings["file"])["pictures"].numpy())
        self.last = []

    def epoch(self):
        """From random weights, as one call of Fit."""
        settings = self.settings
        net = SimClr(*small_conv_net(1)).to(memory_format=torch.channels_last).train()
        optimizer = optimizer_of(net, 0)
        steps, warmup = settings["steps"], int(min(len(self.data) // settings["batch"], 0.1 * settings["steps"]))
        loader = DataLoader(self.data, settings["batch"], shuffle=True, drop_last=True, num_workers=2, worker_init_fn=lambda _: torch.set_num_threads(1))
        losses = []
        for index, (first, second) in zip(range(steps), loader):
            rate = settings["rate"] * ((index + 1) / warmup if index < warmup else 0.5 * (1 + numpy.cos(numpy.pi * (index - warmup) / (steps - warmup))))
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad(set_to_none=True)
            loss = nt_xent(net(torch.cat([first, second]).contiguous(memory_format=torch.channels_last)), settings["temperature"])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        self.last = losses

    def round(self):
        return seconds(self.epoch)

    def values(self):
        return [numpy.mean(self.last)]


serve(Epoch)
