"""SimCLR's views on one thread: torchvision's transforms on PIL pictures, and the same by OpenCV and numpy."""
import random

import cv2
import numpy
import PIL
import torch
import torchvision
from peer import seconds, serve, tensors
from PIL import Image
from torchvision import transforms


def simclr(size, strength, blur):
    """Chen et al. 2020, appendix A."""
    jitter = transforms.ColorJitter(0.8 * strength, 0.8 * strength, 0.8 * strength, 0.2 * strength)
    kernel = max(3, int(0.1 * size) // 2 * 2 + 1)
    steps = [
        transforms.RandomResizedCrop(size, (0.08, 1)), transforms.RandomHorizontalFlip(), transforms.RandomApply([jitter], 0.8),
        transforms.RandomGrayscale(0.2)]
    if blur:
        steps.append(transforms.RandomApply([transforms.GaussianBlur(kernel, (0.1, 2.0))], 0.5))
    return steps


class Pillow:
    def __init__(self, settings, pictures):
        self.versions = {"torchvision": torchvision.__version__, "Pillow": PIL.__version__}
        self.pictures = [Image.fromarray(picture) for picture in pictures]
        self.make = transforms.Compose([
            *simclr(settings["size"], settings["strength"], settings["blur"]), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)])


class OpenCv:
    """Each step a call of OpenCV, or one over the whole array; brightness, contrast and saturation as saturating integer arithmetic."""

    def __init__(self, settings, pictures):
        cv2.setNumThreads(1)
        self.versions = {"OpenCV": cv2.__version__, "numpy": numpy.__version__}
        self.pictures, self.size, self.strength, self.blur = pictures, settings["size"], settings["strength"], settings["blur"]
        self.kernel = max(3, int(0.1 * self.size) // 2 * 2 + 1)

    def box(self, height, width):
        for _ in range(10):
            area = height * width * random.uniform(0.08, 1)
            ratio = numpy.exp(random.uniform(numpy.log(3 / 4), numpy.log(4 / 3)))
            w, h = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
            if 0 < w <= width and 0 < h <= height:
                return random.randint(0, height - h), random.randint(0, width - w), h, w
        side = min(height, width)
        return (height - side) // 2, (width - side) // 2, side, side

    def jitter(self, x):
        def factor():
            return random.uniform(max(0, 1 - 0.8 * self.strength), 1 + 0.8 * self.strength)

        for step in random.sample(range(4), 4):
            if step == 0:
                x = cv2.convertScaleAbs(x, alpha=factor())
            elif step == 1:
                alpha, mean = factor(), cv2.mean(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY))[0]
                table = numpy.clip(numpy.arange(256) * alpha + (1 - alpha) * mean, 0, 255).astype(numpy.uint8)
                x = cv2.LUT(x, table)
            elif step == 2:
                alpha, gray = factor(), cv2.cvtColor(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
                x = cv2.addWeighted(x, alpha, gray, 1 - alpha, 0)
            else:
                hsv = cv2.cvtColor(x, cv2.COLOR_RGB2HSV)
                shift = round(180 * random.uniform(-0.2 * self.strength, 0.2 * self.strength))
                hsv[..., 0] = cv2.LUT(hsv[..., 0], ((numpy.arange(256) + shift) % 180).astype(numpy.uint8))
                x = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
        return x

    def make(self, picture):
        top, left, height, width = self.box(*picture.shape[:2])
        shrinks = height * width > self.size**2
        x = cv2.resize(picture[top:top + height, left:left + width], (self.size, self.size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        if random.random() < 0.5:
            x = cv2.flip(x, 1)
        if random.random() < 0.8:
            x = self.jitter(x)
        if random.random() < 0.2:
            x = cv2.cvtColor(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        if self.blur and random.random() < 0.5:
            x = cv2.GaussianBlur(x, (self.kernel, self.kernel), random.uniform(0.1, 2))
        x = x.astype(numpy.float32)
        x *= 1 / 127.5
        x -= 1
        return torch.from_numpy(x).permute(2, 0, 1)


class Views:
    def __init__(self, settings):
        torch.manual_seed(1), random.seed(1)
        pictures = [picture.permute(1, 2, 0).contiguous().numpy() for picture in tensors(settings["file"])["pictures"]]
        self.side = (Pillow if settings["by"] == "Pillow" else OpenCv)(settings, pictures)
        self.versions, self.count = self.side.versions, settings["count"]

    def all(self, count):
        pictures, make = self.side.pictures, self.side.make
        return [make(pictures[i % len(pictures)]) for i in range(count)]

    def round(self):
        return seconds(lambda: self.all(self.count)) / self.count

    def values(self):
        """Mean and deviation over many random views: the two sides draw other numbers."""
        views = torch.stack(self.all(2048))
        return [views.mean().item(), views.std().item()]


serve(Views)
