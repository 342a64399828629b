using Microsoft.ML.Contrastive.Benchmarks;
using Microsoft.ML.Contrastive.Endurance;

switch (args)
{
    case ["views"]:
        ViewRates.Run();
        return 0;
    case ["step", .. [] or ["profile"]]:
        StepTimes.RunSmall(profile: args.Length > 1);
        return 0;
    case ["step-resnet", .. [] or ["profile"]]:
        StepTimes.RunResNet(profile: args.Length > 1);
        return 0;
    case ["tokenize", var file]:
        return TokenizerRates.Run(file);
    case ["transform"]:
        return TransformRates.Run();
    case ["claims", ..]:
        return Claims.Run(args[1..]);
    case ["clip", ..]:
        return ClipBenchmark.Run(args[1..]);
    case ["compare", ..]:
        return Compare.Run(args[1..]);
    case ["gpu-check"]:
        return GpuCheck.Run();
    case ["endurance", ..]:
        return Endurance.Run(args[1..]);
    case ["growth", ..]:
        return Growth.Run(args[1..]);
    case ["memory", ..]:
        return MemoryPeaks.Run(args[1..]);
    case ["sentences", ..]:
        return Sentences.Run(args[1..]);
    case ["survey", ..]:
        return Survey.Run(args[1..]);
    case [] or ["help"]:
        Console.WriteLine(Help);
        return 0;
    default:
        Console.Error.WriteLine(Help);
        return 2;
}

internal static partial class Program
{
    private const string Help = """
        Usage: dotnet run -c Release --project benchmarks -- <verb>
          claims         the survey's statements as experiments: what holds here, by how much, on one page
          clip           pictures and captions from nothing: new designs and concepts of emoji, CIFAR-10 by words, your own
          gpu-check      each method's first losses on the GPU against the CPU's; items a second on both
          compare        the library beside PyTorch, torchvision, OpenCV, scikit-learn, faiss and ONNX Runtime: see docs/speed.md
          endurance      what docs/reliability.md promises: kills, memory, mutated files, data larger than memory
          growth         time of a step against batch, queue, width, tokens; of an epoch against rows; rows a second against threads
          memory         peak memory of training against the batch, whole and in chunks
          sentences      embeddings of sentences, counted and learned: similarity, alignment, uniformity, a linear probe
          step           training steps of the small conv net against the same steps written plainly in TorchSharp;
                         with "profile" also where the time of a step goes
          step-resnet    the same for ResNet-18, which takes minutes
          survey         every method with one encoder and one budget: nearest neighbours, linear probe, time, memory
          tokenize FILE  sentences (a line each) a second of every kind of tokenizer; time to learn a vocabulary
          transform      rows a second of a fitted encoder: batches against one row at a time
          views          views a second on one core
        """;
}
