using Microsoft.ML.Contrastive.Endurance;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>Runs alone: other tests may move what this one watches.</summary>
[CollectionDefinition(nameof(GlobalStateTests), DisableParallelization = true)]
[Collection(nameof(GlobalStateTests))]
public sealed class GlobalStateTests
{
    [Theory]
    [MemberData(nameof(AllMethods.Data), MemberType = typeof(AllMethods))]
    public void Fit_leaves_the_global_generator_and_the_thread_count_alone(ContrastiveMethod method)
    {
        var ml = new MLContext(5);
        IDataView data = ml.ViewFor(method, 64);
        NativeTorch.EnsureLoaded();
        int threads = TorchSharp.torch.get_num_threads();
        using TorchSharp.torch.Tensor before = TorchSharp.torch.get_rng_state();
        using (ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(
            "Features", "Image", method, ImageEncoder.SmallConvNet(8), new TrainingOptions { Steps = 6, BatchSize = 32 }, Pictures.ShapeFor(method)).Fit(data))
            _ = encoder.Transform(data).Features();
        using TorchSharp.torch.Tensor after = TorchSharp.torch.get_rng_state();
        Assert.Equal(before.bytes.ToArray(), after.bytes.ToArray());
        Assert.Equal(threads, TorchSharp.torch.get_num_threads());
    }

    public static TheoryData<string> Endings => ["ends", "is cancelled", "diverges", "meets an error in the method", "has a full checkpoint folder"];

    [Theory]
    [MemberData(nameof(Endings))]
    public void Fit_leaves_no_thread_file_or_native_memory_behind_when_it(string ending)
    {
        string folder = Directory.CreateTempSubdirectory("left-behind-").FullName;
        try
        {
            Run(ending, folder); // what is made once in a process is made here
            (long memory, int handles) = (Memory(), Handles(folder));
            for (int i = 0; i < 6; i++)
                Run(ending, folder);
            Assert.InRange(Memory() - memory, long.MinValue, 5 * WeightBytes); // six times the weights of one of its networks are more
            Assert.Equal(handles, Handles(folder));
            Assert.Empty(Directory.GetFiles(folder, "*.scratch"));
            Assert.Empty(Directory.GetFiles(folder, "*.tmp", SearchOption.AllDirectories));
            Assert.Equal(0, Prefetching.Threads);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        // Not TorchSharp's count of tensors: it counts each parameter twice and frees it once.
        static long Memory()
        {
            CLibrary.TrimHeap();
            return ProcessMemory.AfterCollection();
        }

        // Only those of this folder: the runtime opens and closes others as it likes.
        static int Handles(string folder) => OperatingSystem.IsLinux()
            ? Directory.GetFiles("/proc/self/fd").Count(link => new FileInfo(link).LinkTarget?.StartsWith(folder, StringComparison.Ordinal) == true)
            : 0;
    }

    private static long WeightBytes => sizeof(float) * Encoder.CountWeights(1, Pictures.Side, Pictures.Side);

    private static ImageEncoder Encoder => ImageEncoder.SmallConvNet(80);

    private static void Run(string ending, string folder)
    {
        var ml = new MLContext(5);
        using var source = new CancellationTokenSource();
        string checkpoints = Path.Combine(folder, Guid.NewGuid().ToString("N"));
        var options = new TrainingOptions
        {
            Steps = 8, BatchSize = 32, ViewThreads = 2, ReportEvery = 1, MemoryBudget = 0, ScratchFolder = folder, CheckpointFolder = checkpoints, CheckpointSteps = 5, CancellationToken = source.Token,
            Progress = new OnProgress(report =>
            {
                if (report.Step == 1 && OperatingSystem.IsLinux())
                    Assert.Equal(2, Prefetching.Threads); // so that none afterwards says something
                if (ending == "is cancelled" && report.Step == 3)
                    source.Cancel();
                if (ending == "has a full checkpoint folder" && report.Step == 3)
                    Directory.CreateDirectory(Path.Combine(checkpoints, "step-000000000005.safetensors")); // no file can take its name
            }),
        };
        ContrastiveMethod method = ending switch
        {
            "diverges" => new MoCoV2 { Optimizer = new Sgd(), LearningRate = new(1e30) },
            "meets an error in the method" => new FailingMethod(),
            _ => new MoCoV2(),
        };
        Exception? error = Record.Exception(() =>
        {
            using var encoder = ml.Transforms.ContrastivePretrain("Features", "Image", method, Encoder, options, Pictures.Shape()).Fit(ml.View(Pictures.Make(70)));
        });
        Type? expected = ending switch
        {
            "ends" => null,
            "is cancelled" => typeof(OperationCanceledException),
            "has a full checkpoint folder" => typeof(IOException),
            _ => typeof(InvalidOperationException),
        };
        Assert.Equal(expected, error?.GetType());
    }

    /// <summary>Throws in its third step, with tensors of the step alive.</summary>
    private sealed record FailingMethod : ContrastiveMethod
    {
        public override ContrastiveMethod Resolve(RunFacts facts) => new OwnMethod().Resolve(facts) is { } own
            ? this with { Augmentations = own.Augmentations, Optimizer = own.Optimizer, LearningRate = own.LearningRate } : this;

        public override Learner CreateLearner(LearnerSetup setup) => new FailingLearner(setup);
    }

    private sealed class FailingLearner : Learner
    {
        private readonly TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor> encoder;

        public FailingLearner(LearnerSetup setup)
            : base(nameof(FailingLearner))
        {
            encoder = setup.CreateEncoder();
            RegisterComponents();
        }

        public override TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor> Encoder => encoder;

        public override TorchSharp.torch.Tensor Loss(Contrastive.Views views, Step step)
        {
            TorchSharp.torch.Tensor output = encoder.forward(views[0]);
            return step.Index < 2 ? output.pow(2).mean() : throw new InvalidOperationException("The method's own error.");
        }
    }

    private static class Prefetching
    {
        /// <summary>Threads of ours that live, by the name that they have; Linux tells the first 15 letters.</summary>
        public static int Threads => OperatingSystem.IsLinux()
            ? Directory.GetDirectories("/proc/self/task").Count(task => Name(task).StartsWith("ContrastiveML v", StringComparison.Ordinal))
            : 0;

        private static string Name(string task)
        {
            try
            {
                return File.ReadAllText(Path.Combine(task, "comm"));
            }
            catch (IOException)
            {
                return ""; // it has just ended
            }
        }
    }
}
