using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>One training: all that a Fit has decided, and from there to the trained weights.</summary>
/// <param name="Examples">What it learns from.</param>
/// <param name="Manifest">The encoder's shape, and what it takes.</param>
/// <param name="Method">Resolved.</param>
/// <param name="Facts">The run.</param>
/// <param name="Seed">Decides weights, order and views.</param>
/// <param name="Device">Where it trains.</param>
/// <param name="Options">Validated.</param>
/// <param name="Monitored">The data of its <see cref="TrainingOptions.Monitor"/>, or null.</param>
internal sealed record PretrainingRun(
    Examples Examples, EncoderManifest Manifest, ContrastiveMethod Method, RunFacts Facts, int Seed, Device Device, TrainingOptions Options,
    MonitoredExamples? Monitored = null)
{
    /// <summary>What makes this run another than one with other settings: kept in the model for the record.</summary>
    public static JsonObject Record(ContrastiveMethod method, RunFacts facts, int seed) => new()
    {
        ["method"] = method.GetType().Name,
        ["settings"] = EncoderManifest.Describe(method),
        ["rows"] = facts.Rows,
        ["batchSize"] = facts.BatchSize,
        ["steps"] = facts.TotalSteps,
        ["droppedRowsPerEpoch"] = facts.Rows % facts.BatchSize,
        ["seed"] = seed,
    };

    /// <summary>Trains <paramref name="result"/>, from its own weights or from where the folder's newest checkpoint stands.</summary>
    /// <param name="result">On the CPU; has the first weights, and afterwards the trained ones.</param>
    /// <param name="startsFromEarlier">True where its weights are not those that the seed gives.</param>
    /// <param name="checkpoints">Where the run is kept, or null.</param>
    /// <param name="checkpoint">The newest there, or null.</param>
    /// <param name="host">Is asked whether to go on.</param>
    /// <param name="channel">Receives messages.</param>
    public void Train(
        nn.Module<Tensor, Tensor> result, bool startsFromEarlier, CheckpointFolder? checkpoints, Checkpoint? checkpoint, IHost host, IChannel channel)
    {
        if (Options.KeepFreedMemory)
            CLibrary.KeepFreedMemory();
        if (Options.ComputeThreads is { } threads)
            set_num_threads(threads);
        Arithmetic arithmetic = Decide(checkpoint);
        JsonObject? identity = checkpoints is null ? null : Identity(startsFromEarlier ? result : null);
        checkpoint?.Require(AsWritten(identity!));

        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)Seed + 1);
        using Learner learner = Method.CreateLearner(new LearnerSetup(
            () => Manifest.Input.Build(generator), Manifest.Input.Network.FeatureSize, generator, Facts));
        ModuleState.Copy(result, learner.Encoder);
        foreach (MomentumPair pair in learner.MomentumPairs)
            pair.CopyToTarget();
        learner.to(Device).train();
        using var runner = new StepRunner(
            learner, Method.Optimizer!, Method.MaxGradientNorm, Method.MaxParameterGradientNorm, Options.ChunkSize, arithmetic, Options.KeepFreedMemory ? null : CLibrary.TrimHeap);
        channel.Info($"Computing with {get_num_threads()} threads, linear layers as {(arithmetic.Linear == LinearKernel.Convolution ? "convolutions" : "products")}{Reduced(arithmetic)}.");
        using OnlineMonitor? monitor = Monitored is null ? null : new OnlineMonitor(Monitored, new PretrainedEncoder(Manifest, learner.Encoder, Device, Examples.Tokenizer));
        if (checkpoint is not null)
            Resume(checkpoint, State(), arithmetic, channel);

        long firstStep = checkpoint?.Step ?? 0;
        int spare = Options.ChunkSize is null ? 2 : 0; // batches that pass in chunks are large, and slow enough
        using var prefetcher = new Prefetcher<Views>(firstStep, Facts.TotalSteps, Options.ViewThreads, MakeViews, spare);
        TrainingLoop.Run(runner, Method, Facts, LoggingTo(channel), firstStep, step => prefetcher.Take(step).To(Device), (ulong)Seed, new LoopHost(
            Warn: message => channel.Warning(message),
            CheckAlive: host.CheckAlive,
            TrimMemory: CLibrary.TrimHeap,
            KeepCheckpoint: checkpoints is null ? null : step => checkpoints.Write(step, identity!, EqualBits(arithmetic), State()),
            Measure: monitor is null ? null : monitor.Measure));
        ModuleState.Copy(learner.Encoder, result);
        if (monitor is null)
            return;
        monitor.CopyBestTo(result);
        (string name, string figure, string told) = Options.Monitor is SimilarityMonitor
            ? ("bestSimilarity", "spearman", string.Create(CultureInfo.InvariantCulture, $"{100 * monitor.Best:f1} (Spearman's correlation times 100)"))
            : ("bestKnn", "accuracy", string.Create(CultureInfo.InvariantCulture, $"{monitor.Best:P1} of nearest neighbours right"));
        Manifest.Training![name] = new JsonObject { [figure] = monitor.Best, ["step"] = monitor.BestStep, ["kept"] = Options.Monitor!.KeepBest };
        channel.Info($"The encoder was best after step {monitor.BestStep}: {told}.");

        IEnumerable<(string Name, Tensor Value)> State() => [.. runner.State, .. monitor?.State ?? []];
    }

    private string Reduced(Arithmetic arithmetic) => (Options.Precision, arithmetic.LinearInBFloat16, arithmetic.ConvolutionInBFloat16) switch
    {
        (Precision.Single, _, _) => "",
        (_, true, true) => ", in bfloat16",
        (_, true, false) => ", in bfloat16; convolutions in single precision, which is no slower here",
        (_, false, true) => ", in single precision, which is no slower here; convolutions in bfloat16",
        _ => ", in single precision: bfloat16 is no faster here",
    };

    /// <summary>How products are computed: as in the checkpoint, or by the options.</summary>
    private Arithmetic Decide(Checkpoint? checkpoint)
    {
        LinearKernel kernel = Options.LinearKernel;
        if (kernel == LinearKernel.Fastest && checkpoint?.Environment.TryGetProperty("arithmetic", out JsonElement kept) == true)
            kernel = kept.Deserialize<Arithmetic>(EncoderManifest.Json)!.Linear;
        return Arithmetic.Of(Options.Precision, kernel, Device);
    }

    private void Resume(Checkpoint checkpoint, IEnumerable<(string Name, Tensor Value)> state, Arithmetic arithmetic, IChannel channel)
    {
        using var scope = NewDisposeScope();
        checkpoint.Restore(state);
        channel.Info($"Going on after step {checkpoint.Step} of {Facts.TotalSteps}, from the checkpoint in '{Options.CheckpointFolder}'.");
        string[] differences = [.. Checkpoint.Differences(checkpoint.Environment, AsWritten(EqualBits(arithmetic)))];
        if (differences.Length > 0)
            channel.Warning($"The run goes on, but its result may differ in the last digits from an unbroken one: {string.Join("; ", differences)}.");
    }

    private JsonObject Identity(nn.Module? startsFrom)
    {
        JsonObject identity = Record(Method, Facts, Seed);
        foreach ((string name, JsonNode? value) in EncoderManifest.Describe(Manifest.Input, by: typeof(ModelInput))!.AsObject())
            identity[name] = value?.DeepClone();
        identity["data"] = Examples.Fingerprint();
        if (Options.ChunkSize is { } chunk)
            identity["chunkSize"] = chunk;
        if (Options.SortedBatches > 1 && Examples.Length is not null)
            identity["sortedBatches"] = Options.SortedBatches;
        if (Options.Precision != Precision.Single)
            identity["precision"] = Options.Precision.ToString();
        identity["startsFrom"] = startsFrom is null ? "random weights" : Checkpoint.Digest(stream => SafeTensors.Save(stream, startsFrom));
        if (Monitored is not null)
            identity["monitor"] = Monitored.Identity;
        return identity;
    }

    private static JsonElement AsWritten(JsonObject item) => JsonSerializer.SerializeToElement(item);

    /// <summary>On what the last bits of a step depend beside the run itself.</summary>
    private JsonObject EqualBits(Arithmetic arithmetic) => new()
    {
        ["library"] = LibraryVersion.Current,
        ["libtorch"] = __version__,
        ["threads"] = get_num_threads(),
        ["device"] = Device.type.ToString(),
        ["processor"] = RuntimeInformation.ProcessArchitecture.ToString(),
        ["arithmetic"] = EncoderManifest.Describe(arithmetic),
    };

    private Func<long, Views> MakeViews()
    {
        var order = new EpochOrder(Examples.Count, Options.BatchSize, (ulong)Seed, Options.SortedBatches, Examples.Length);
        BatchMaker make = Examples.CreateMaker(Method);
        return step =>
        {
            (long epoch, ReadOnlyMemory<int> batch) = order.Batch(step);
            return make(batch.Span, epoch, (ulong)Seed);
        };
    }

    /// <summary>The run's options, with progress in the context's log too: at its start and end, and every ten seconds between.</summary>
    private TrainingOptions LoggingTo(IChannel channel)
    {
        var sinceLogged = new Stopwatch();
        return Options with
        {
            Progress = new OnProgress(progress =>
            {
                Options.Progress?.Report(progress);
                if (sinceLogged.IsRunning && sinceLogged.Elapsed.TotalSeconds < 10 && progress.Step < progress.TotalSteps && (progress.KnnAccuracy ?? progress.Similarity) is null)
                    return;
                sinceLogged.Restart();
                channel.Info(progress.Describe(Examples.Name));
            }),
        };
    }
}
