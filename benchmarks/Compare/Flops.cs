namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Floating-point operations of the networks' products, a multiplication and an addition being two; norms and activations are not counted.</summary>
internal static class Flops
{
    /// <summary>Of a step on so many examples: forward, and backward for inputs and weights.</summary>
    public static double Training(double forward, int examples) => 3 * forward * examples;

    public static double ResNet18Small(int side, int channels)
    {
        double count = Convolution(channels, 64, 3, side);
        foreach ((int inputs, int outputs, int shrink) in new[] { (64, 64, 1), (64, 128, 2), (128, 256, 4), (256, 512, 8) })
            count += Convolution(inputs, outputs, 3, side / shrink) + 3 * Convolution(outputs, outputs, 3, side / shrink)
                + (inputs == outputs ? 0 : Convolution(inputs, outputs, 1, side / shrink));
        return count;
    }

    /// <summary>With the 7x7 stem, and a pooling that halves the sides, before the same stages.</summary>
    public static double ResNet18(int side, int channels)
        => Convolution(channels, 64, 7, side / 2) + ResNet18Small(side / 4, channels) - Convolution(channels, 64, 3, side / 4);

    public static double SmallConvNet(int side, int channels)
    {
        double count = 0;
        int inputs = channels;
        foreach ((int outputs, int stride) in new[] { (32, 2), (64, 2), (128, 2), (256, 1) })
        {
            side = (side + stride - 1) / stride;
            count += Convolution(inputs, outputs, 3, side);
            inputs = outputs;
        }
        return count;
    }

    /// <summary>Of a text of so many tokens.</summary>
    public static double Transformer(int depth, int width, int middle, int tokens)
        => 2.0 * depth * tokens * (4.0 * width * width + 2.0 * width * middle + 2.0 * tokens * width);

    private static double Convolution(int inputs, int outputs, int kernel, int side) => 2.0 * inputs * outputs * kernel * kernel * side * side;
}
