using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>
/// A SimCLR step as one would write it first: TorchSharp's own layers and optimizer, contiguous pictures, an optimizer call
/// per tensor. What the library's step is measured against.
/// </summary>
internal sealed class PlainStep : IDisposable
{
    private const double Temperature = 0.2, Rate = 0.01;
    private readonly nn.Module<Tensor, Tensor> _network;
    private readonly optim.Optimizer _optimizer;

    private PlainStep(nn.Module<Tensor, Tensor> encoder, int features)
    {
        _network = nn.Sequential(
            encoder, nn.Linear(features, features), nn.BatchNorm1d(features), nn.ReLU(), nn.Linear(features, 128));
        _network.train();
        _optimizer = optim.SGD(_network.parameters(), Rate, momentum: 0.9, weight_decay: 5e-4);
    }

    /// <summary>The layers of <see cref="SmallConvNet"/>.</summary>
    public static PlainStep SmallConvNet(int channels, int width = 32) => new(nn.Sequential(
        nn.Conv2d(channels, width, 3, stride: 2, padding: 1, bias: false), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride: 2, padding: 1, bias: false), nn.BatchNorm2d(2 * width), nn.ReLU(),
        nn.Conv2d(2 * width, 4 * width, 3, stride: 2, padding: 1, bias: false), nn.BatchNorm2d(4 * width), nn.ReLU(),
        nn.Conv2d(4 * width, 8 * width, 3, stride: 1, padding: 1, bias: false), nn.BatchNorm2d(8 * width), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten()), 8 * width);

    /// <summary>The library's own ResNet-18: here only memory layout, loss and optimizer are the plain ones.</summary>
    public static PlainStep ResNet18(int channels) => new(ImageEncoder.ResNet18(Stem.Small).CreateModule(channels, seed: 1), 512);

    /// <summary>One step on two views, contiguous: [N, C, H, W].</summary>
    public double Run(Tensor first, Tensor second)
    {
        using var scope = NewDisposeScope();
        _optimizer.zero_grad();
        Tensor z = nn.functional.normalize(_network.forward(cat([first, second], 0)));
        long rows = first.shape[0];
        Tensor logits = z.mm(z.t()) / Temperature;
        logits = logits.masked_fill(eye(2 * rows, dtype: ScalarType.Bool), double.NegativeInfinity);
        Tensor loss = nn.functional.cross_entropy(logits, arange(2 * rows).roll(rows));
        loss.backward();
        _optimizer.step();
        return loss.item<float>();
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _network.Dispose();
    }
}
