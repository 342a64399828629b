using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Data;
using TorchSharp;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>
/// Whether training on the GPU is training on the CPU, only faster: every method runs through the public estimator on both,
/// from one seed, and its first losses are compared; then an encoder's features are.
/// </summary>
internal static class GpuCheck
{
    private const int Gpu = 0, Steps = 50, Compared = 5, BatchSize = 64, Pictures = 1024, Side = 32, Channels = 3, Seed = 1;
    private const double Tolerance = 1e-3; // relative to max(1, |loss|)

    /// <summary>Every method, and what none takes by itself.</summary>
    private static readonly (string Name, ContrastiveMethod Method)[] s_methods =
    [
        .. AllMethods.ByName.Select(method => (method.Key, method.Value)),
        ("InstDisc, NCE", new InstDisc { Contrast = BankContrast.Nce, ProximalWeight = 30 }),
        ("CMC, NCE", new Cmc { Contrast = BankContrast.Nce }),
        ("InvaSpread, paper", new InvaSpread { Form = InvaSpreadForm.Paper }),
        ("SimCLR v1, LARS", new SimClrV1 { Optimizer = new Lars { WeightDecay = 1e-6 }, MaxGradientNorm = 10 }),
        ("SimCLR v1, AdamW", new SimClrV1 { Optimizer = new AdamW { WeightDecay = 0.01 }, LearningRate = new(1e-3, Scaling: RateScaling.None) }),
    ];

    /// <summary>0 when all agree or there is no GPU, 1 when a method does not.</summary>
    public static int Run()
    {
        NativeTorch.EnsureLoaded();
        if (!torch.cuda.is_available())
        {
            Console.WriteLine("No GPU was checked: libtorch sees none here (TorchBackend = cuda-linux or cuda-windows brings the back end that can).");
            return 0;
        }
        // Convolutions on recent cards round to 10 bits by default, which is no error of ours but more than the tolerance.
        torch.backends.cudnn.allow_tf32 = false;
        torch.backends.cuda.matmul.allow_tf32 = false;
        return Compare(Gpu);
    }

    private static int Compare(int? gpu)
    {
        Console.WriteLine($"{Steps} steps of {BatchSize} pictures of {Side}x{Side}x{Channels} in full single precision; losses of the first {Compared} steps compared");
        Console.WriteLine(Line("method", "GPU items/s", "CPU items/s", "worst diff.", ""));
        bool agree = true;
        foreach ((string name, ContrastiveMethod method) in s_methods)
            agree &= Compare(name, method, ImageEncoder.SmallConvNet(), gpu);
        // Attention has kernels of its own on each device.
        agree &= Compare("MoCo v3, ViT", new MoCoV3(), new VisionTransformer { Patch = 4, Width = 96, Depth = 4 }, gpu);
        return Report("features", Worst(Features(gpu), Features(null)), null, null) && agree ? 0 : 1;
    }

    private static bool Compare(string name, ContrastiveMethod method, ImageEncoder encoder, int? gpu)
    {
        (double[] onGpu, double gpuRate) = Train(method, encoder, gpu);
        (double[] onCpu, double cpuRate) = Train(method, encoder, null);
        return Report(name, Worst(onGpu, onCpu), gpuRate, cpuRate);
    }

    private static bool Report(string name, double worst, double? gpuRate, double? cpuRate)
    {
        bool agrees = worst <= Tolerance; // false for NaN
        Console.WriteLine(Line(name, $"{gpuRate:N0}", $"{cpuRate:N0}", worst.ToString("0.0e+0", CultureInfo.InvariantCulture), agrees ? "agrees" : "DIFFERS"));
        return agrees;
    }

    private static string Line(string name, string gpu, string cpu, string worst, string verdict) => $"{name,-20}{gpu,14}{cpu,14}{worst,14}  {verdict}".TrimEnd();

    private static (double[] Losses, double ItemsPerSecond) Train(ContrastiveMethod method, ImageEncoder network, int? gpu)
    {
        var ml = Context(gpu);
        var steps = new Watch();
        var training = new TrainingOptions { Steps = Steps, BatchSize = BatchSize, ReportEvery = 1, Progress = steps };
        using ContrastivePretrainTransformer encoder = Estimator(ml, method, network, training).Fit(MadePictures.View(ml, Pictures, Side, Channels));
        (double Loss, TimeSpan At) started = steps.Reports[Compared - 1], ended = steps.Reports[^1];
        return ([.. steps.Reports.Take(Compared).Select(report => report.Loss)], (Steps - Compared) * BatchSize / (ended.At - started.At).TotalSeconds);
    }

    private static double[] Features(int? gpu)
    {
        var ml = Context(gpu);
        IDataView data = MadePictures.View(ml, Pictures, Side, Channels);
        using ContrastivePretrainTransformer encoder = Estimator(ml, new SimClrV1(), ImageEncoder.SmallConvNet(), new TrainingOptions()).Untrained(data);
        return [.. encoder.Transform(data).GetColumn<float[]>("Features").SelectMany(row => row.Select(value => (double)value))];
    }

    private static MLContext Context(int? gpu) => new(Seed) { GpuDeviceId = gpu, FallbackToCpu = false };

    private static ContrastivePretrainEstimator Estimator(MLContext ml, ContrastiveMethod method, ImageEncoder network, TrainingOptions training)
        => ml.Transforms.ContrastivePretrain("Features", "Image", method, network, training, new ImageShape(Side, Side, Channels));

    private static double Worst(double[] one, double[] other)
        => one.Zip(other, (a, b) => Math.Abs(a - b) / Math.Max(1, Math.Abs(b))).Aggregate(0.0, Math.Max); // Max keeps NaN

    private sealed class Watch : IProgress<TrainingProgress>
    {
        private readonly Stopwatch _clock = Stopwatch.StartNew();

        public List<(double Loss, TimeSpan At)> Reports { get; } = [];

        public void Report(TrainingProgress value) => Reports.Add((value.Loss, _clock.Elapsed));
    }
}
