"""The networks of pictures, as the C# side shapes them, and weights put into networks."""
import torchvision
from torch import nn


def small_conv_net(channels, width=32):
    """Four 3x3 convolutions with strides 2, 2, 2, 1, each with batch norm and ReLU, then the mean over positions."""
    layers, inputs = [], channels
    for factor, stride in [(1, 2), (2, 2), (4, 2), (8, 1)]:
        layers += [nn.Conv2d(inputs, factor * width, 3, stride, 1, bias=False), nn.BatchNorm2d(factor * width), nn.ReLU(inplace=True)]
        inputs = factor * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), inputs


def resnet18(channels):
    """torchvision's, with the stem for small pictures."""
    net = torchvision.models.resnet18(weights=None)
    net.conv1, net.maxpool, net.fc = nn.Conv2d(channels, 64, 3, 1, 1, bias=False), nn.Identity(), nn.Identity()
    return net, 512


def load(net, state):
    missing, unexpected = net.load_state_dict(state, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    assert not missing and not unexpected, f"weights do not fit: {missing} {unexpected}"
    return net
