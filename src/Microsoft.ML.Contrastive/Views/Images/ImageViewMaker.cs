using System.Numerics;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Makes views of one size from stored pictures: planes [channels, height, width], normalised. It keeps its buffers, so
/// that a picture costs no allocation: one instance per thread.
/// </summary>
/// <remarks>
/// Order of the random draws, each left out together with its step: the crop's box (<see cref="CropBox.Draw"/>); flip
/// or not; jitter or not, then the order of its four steps, then brightness, contrast, saturation and hue; gray or not;
/// blur or not, then its deviation; solarize or not. Pictures of one and three channels draw the same numbers.
/// </remarks>
internal sealed class ImageViewMaker
{
    private readonly ImageAugmentation _augmentation;
    private readonly int _height;
    private readonly int _width;
    private readonly int _channels;
    private readonly Normalization _normalization;
    private readonly Resizer _resizer;
    private readonly ByteResizer? _byteResizer;
    private readonly byte[] _bytes = [];
    private readonly float[] _planes;
    private readonly float[] _kernel = [];
    private readonly float[] _blurScratch = [];

    /// <param name="augmentation">What happens to a picture; see <see cref="AugmentationChecks"/>.</param>
    /// <param name="height">Rows of a view, at least 1.</param>
    /// <param name="width">Columns of a view, at least 1.</param>
    /// <param name="channels">1 or 3.</param>
    /// <param name="normalization">One mean and one deviation per channel.</param>
    /// <param name="plainResizing">How a view that has nothing random is resized.</param>
    public ImageViewMaker(
        ImageAugmentation augmentation, int height, int width, int channels, Normalization normalization, PlainResizing plainResizing = PlainResizing.Bilinear)
    {
        AugmentationChecks.Check(augmentation);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        if (channels is not (1 or 3))
            throw new ArgumentOutOfRangeException(nameof(channels), channels, "A view has 1 or 3 channels.");
        if (normalization.Mean.Length != channels || normalization.Deviation.Length != channels)
            throw new ArgumentException($"Views of {channels} channels need {channels} means and deviations.", nameof(normalization));
        (_augmentation, _height, _width, _channels, _normalization) = (augmentation, height, width, channels, normalization);
        _resizer = new Resizer(augmentation.Interpolation);
        _planes = new float[channels * height * width];
        if (plainResizing == PlainResizing.BicubicBytes)
            (_byteResizer, _bytes) = (new ByteResizer(), new byte[_planes.Length]);
        if (augmentation.Blur is { } blur)
        {
            _kernel = new float[Blur.KernelSize(blur.KernelFraction, width)];
            _blurScratch = new float[Blur.ScratchSize(height, width, _kernel.Length, _kernel.Length)];
        }
    }

    /// <summary>What a view measures; it has the product of the three in numbers.</summary>
    public (int Height, int Width, int Channels) Size => (_height, _width, _channels);

    /// <summary>Writes one random view of <paramref name="source"/>.</summary>
    /// <exception cref="ArgumentException">The picture has other channels than the views, or the destination another size.</exception>
    public void Make(Picture source, ref SeededRandom random, Span<float> destination)
    {
        Check(source, destination);
        CropBox box = _augmentation.Crop is { } crop
            ? CropBox.Draw(source.Height, source.Width, crop, ref random, out _)
            : new CropBox(0, 0, source.Height, source.Width);
        _resizer.Resize(source, box, _height, _width, _planes);
        if (_augmentation.Interpolation == Interpolation.Bicubic)
            PixelMaps.Apply(_planes, _planes, new ToUnit()); // as Pillow's bytes are
        if (random.NextBool(_augmentation.FlipProbability))
            HorizontalFlip.Apply(_planes, _width);
        if (_augmentation.Jitter is { } jitter && random.NextBool(jitter.Probability))
            ApplyJitter(jitter, ref random);
        if (random.NextBool(_augmentation.GrayscaleProbability) && _channels == 3)
            Grayscale.Apply(_planes);
        if (_augmentation.Blur is { } blur && random.NextBool(blur.Probability))
            ApplyBlur(random.NextDouble(blur.MinSigma, blur.MaxSigma));
        if (_augmentation.Solarize is { } solarize && random.NextBool(solarize.Probability))
            Solarize.Apply(_planes, (float)solarize.Threshold);
        Normalise.Apply(_planes, _normalization, destination);
    }

    /// <summary>
    /// Writes the view of <paramref name="source"/> that has nothing random: resized, antialiased, until it just
    /// covers the view (the longer side's length truncated), and the centre cut out (offsets rounded half to even).
    /// </summary>
    /// <exception cref="ArgumentException">The picture has other channels than the views, or the destination another size.</exception>
    public void MakePlain(Picture source, Span<float> destination)
    {
        Check(source, destination);
        (ResizeAxis rows, ResizeAxis columns) = Covering(source.Height, source.Width, _height, _width);
        if (_byteResizer is null)
            _resizer.Resize(source, 0, 0, rows, columns, _planes);
        else
        {
            _byteResizer.Resize(source, rows, columns, _bytes);
            for (int i = 0; i < _bytes.Length; i++)
                _planes[i] = _bytes[i] / 255f;
        }
        Normalise.Apply(_planes, _normalization, destination);
    }

    /// <summary>The axes by which a picture is resized until it just covers a view, and cut to it.</summary>
    internal static (ResizeAxis Rows, ResizeAxis Columns) Covering(int pictureHeight, int pictureWidth, int viewHeight, int viewWidth)
    {
        bool widthFits = (long)viewWidth * pictureHeight >= (long)viewHeight * pictureWidth;
        int height = widthFits ? Covering(viewWidth, pictureHeight, pictureWidth) : viewHeight;
        int width = widthFits ? viewWidth : Covering(viewHeight, pictureWidth, pictureHeight);
        return (Centred(pictureHeight, height, viewHeight), Centred(pictureWidth, width, viewWidth));

        static int Covering(int side, int longer, int shorter) => checked((int)((long)side * longer / shorter));

        static ResizeAxis Centred(int input, int resized, int kept)
            => new(input, resized, (int)Math.Round((resized - kept) / 2.0, MidpointRounding.ToEven), kept);
    }

    private void ApplyJitter(ColorJitter jitter, ref SeededRandom random)
    {
        Span<ColorStep> order = [ColorStep.Brightness, ColorStep.Contrast, ColorStep.Saturation, ColorStep.Hue];
        random.Shuffle(order);
        ReadOnlySpan<double> settings = [jitter.Brightness, jitter.Contrast, jitter.Saturation, jitter.Hue];
        Span<float> amounts =
        [
            DrawFactor(jitter.Brightness, ref random),
            DrawFactor(jitter.Contrast, ref random),
            DrawFactor(jitter.Saturation, ref random),
            (float)random.NextDouble(-jitter.Hue, jitter.Hue),
        ];
        foreach (ColorStep step in order)
        {
            if (settings[(int)step] > 0)
                ColorAdjust.Apply(step, _planes, _channels, amounts[(int)step]);
        }

        static float DrawFactor(double setting, ref SeededRandom random) => (float)random.NextDouble(Math.Max(0, 1 - setting), 1 + setting);
    }

    private void ApplyBlur(double sigma)
    {
        Blur.FillKernel(_kernel, sigma);
        int size = _height * _width;
        for (int channel = 0; channel < _channels; channel++)
            Blur.Apply(_planes.AsSpan(channel * size, size), _height, _width, _kernel, _kernel, _blurScratch);
    }

    private readonly struct ToUnit : IValueMap
    {
        public Vector<float> Map(Vector<float> value) => Vector.Min(Vector.Max(value, Vector<float>.Zero), Vector<float>.One);
    }

    private void Check(Picture source, Span<float> destination)
    {
        if (source.Channels != _channels)
            throw new ArgumentException($"The picture has {source.Channels} channels, the views have {_channels}.", nameof(source));
        if (source.Height < 1 || source.Width < 1 || source.Pixels.Length != source.Channels * source.Height * source.Width)
            throw new ArgumentException($"A picture of {source.Channels} x {source.Height} x {source.Width} bytes came with {source.Pixels.Length}.", nameof(source));
        if (destination.Length != _planes.Length)
            throw new ArgumentException($"A view has {_planes.Length} numbers, the destination {destination.Length}.", nameof(destination));
    }
}
