using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>
/// A few training steps of a method at toy size, through its real learner and the library's own step. All sizes, and what
/// stands in encoder and heads, are read from the names and shapes of the initial tensors.
/// </summary>
internal static partial class TrajectoryAnswers
{
    public static IReadOnlyDictionary<string, Answer> All { get; } = new Dictionary<string, Answer>
    {
        ["trajectory_simclr_v1"] = given => Train(given, SimClr(given, new SimClrV1())),
        ["trajectory_simclr_v1_per_view"] = given => Train(given, SimClr(given, new SimClrV1 { JointForward = false })),
        ["trajectory_simclr_v2"] = given => Train(given, SimClrV2(given)),
        ["trajectory_simclr_v2_memory"] = given => Train(given, SimClrV2(given)),
        ["trajectory_invaspread"] = given => Train(given, InvaSpread(given, jointForward: true)),
        ["trajectory_invaspread_per_view"] = given => Train(given, InvaSpread(given, jointForward: false)),
        ["trajectory_moco_v1"] = given => Train(given, MoCo(given, new MoCoV1())),
        ["trajectory_moco_v2"] = given => Train(given, MoCo(given, WithMlpOf(given))),
        ["trajectory_moco_v3"] = given => Train(given, MoCoV3(given)),
        ["trajectory_byol"] = given => Train(given, Byol(given)),
        ["trajectory_simsiam"] = given => Train(given, SimSiam(given)),
        ["trajectory_instdisc_softmax"] = given => Train(given, InstDisc(given, BankContrast.Softmax)),
        ["trajectory_instdisc_nce"] = given => Train(given, InstDisc(given, BankContrast.Nce)),
        ["trajectory_instdisc_nce_proximal"] = given => Train(given, InstDisc(given, BankContrast.Nce)),
        ["trajectory_cmc"] = given => Train(given, Cmc(given)),
        ["trajectory_cpc_sequence"] = given => Train(given, Cpc(given, CpcCandidates.SamePosition) with { LastContextOnly = true }),
        ["trajectory_cpc_positions"] = given => Train(given, Cpc(given, CpcCandidates.SamePosition)),
        ["trajectory_cpc_all_positions"] = given => Train(given, Cpc(given, CpcCandidates.AllPositions)),
        ["trajectory_dino"] = given => Dino(given, jointForward: true) is { } method ? Train(given, method) : null,
        ["trajectory_dino_multicrop"] = given => Dino(given, jointForward: true) is { } method ? Train(given, method) : null,
        ["trajectory_dino_per_view"] = given => Dino(given, jointForward: false) is { } method ? Train(given, method) : null,
        ["trajectory_swav"] = given => Train(given, SwAV(given, jointForward: true)),
        ["trajectory_swav_multicrop"] = given => Train(given, SwAV(given, jointForward: true)),
        ["trajectory_swav_per_view"] = given => Train(given, SwAV(given, jointForward: false)),
        ["trajectory_clip"] = given => Train(given, new Clip()),
        ["trajectory_simcse_pairs"] = given => Train(given, SimCse(given)),
        ["trajectory_simcse_supervised"] = given => Train(given, SimCse(given)),
        ["trajectory_simcse_supervised_layernorm"] = given => Train(given, SimCse(given)),
        ["trajectory_simcse_supervised_batchnorm"] = given => Train(given, SimCse(given)),
        ["trajectory_simcse_supervised_per_view"] = given => Train(given, SimCse(given) with { JointForward = false }),
        ["trajectory_esimcse_released"] = given => Train(given, ESimCse(given)),
        ["trajectory_esimcse_released_layernorm"] = given => Train(given, ESimCse(given)),
        ["trajectory_esimcse_after_step"] = given => Train(given, ESimCse(given)),
        ["trajectory_esimcse_after_step_layernorm"] = given => Train(given, ESimCse(given)),
    };

    private static SimClr SimClr(KnownAnswerCase given, SimClr version)
    {
        Stack projector = new(given, "projector");
        return version with
        {
            Temperature = given.Parameters.GetProperty("temperature").GetDouble(),
            ProjectorLayers = projector.Layers,
            HiddenSize = projector.HiddenSize,
            ProjectionSize = projector.OutputSize,
            ProjectorNorm = projector.HasHiddenNorm,
        };
    }

    private static SimClr SimClrV2(KnownAnswerCase given) => SimClr(given, new SimClrV2
    {
        MemoryLength = given.Inputs.GetProperty("initial").TryGetProperty("queue", out JsonElement queue) ? queue.GetArrayLength() : 0,
        Momentum = NumberOrZero(given, "momentum"),
    });

    private static InvaSpread InvaSpread(KnownAnswerCase given, bool jointForward) => new()
    {
        Temperature = given.Parameters.GetProperty("temperature").GetDouble(),
        ProjectionSize = new Stack(given, "projector").OutputSize,
        JointForward = jointForward,
    };

    private static MomentumContrast MoCo(KnownAnswerCase given, MomentumContrast version) => version with
    {
        Temperature = given.Parameters.GetProperty("temperature").GetDouble(),
        Momentum = given.Parameters.GetProperty("momentum").GetDouble(),
        QueueLength = given.Inputs.GetProperty("initial").GetProperty("queue").GetArrayLength(),
        ProjectionSize = new Stack(given, "projector").OutputSize,
        NormGroups = 1,
    };

    private static MoCoV2 WithMlpOf(KnownAnswerCase given)
    {
        Stack projector = new(given, "projector");
        return new MoCoV2 { ProjectorLayers = projector.Layers, HiddenSize = projector.HiddenSize };
    }

    private static MoCoV3 MoCoV3(KnownAnswerCase given)
    {
        Stack projector = new(given, "projector"), predictor = new(given, "predictor");
        return new MoCoV3
        {
            Temperature = given.Parameters.GetProperty("temperature").GetDouble(),
            Momentum = given.Parameters.GetProperty("momentum").GetDouble(),
            MomentumRises = false,
            ProjectorLayers = projector.Layers,
            HiddenSize = projector.HiddenSize,
            ProjectionSize = projector.OutputSize,
            PredictorOutputNorm = predictor.HasOutputNorm,
        };
    }

    private static Byol Byol(KnownAnswerCase given)
    {
        Stack projector = new(given, "projector");
        return new Byol
        {
            Momentum = given.Parameters.GetProperty("base_momentum").GetDouble(),
            HiddenSize = projector.HiddenSize,
            ProjectionSize = projector.OutputSize,
            HeadNorm = projector.HasHiddenNorm ? HeadNorm.Batch : HeadNorm.None,
            OutputBias = projector.HasOutputBias,
        };
    }

    private static SimSiam SimSiam(KnownAnswerCase given)
    {
        Stack projector = new(given, "projector"), predictor = new(given, "predictor");
        return new SimSiam
        {
            ProjectorLayers = projector.Layers,
            HiddenSize = projector.HiddenSize,
            ProjectionSize = projector.OutputSize,
            BottleneckSize = predictor.HiddenSize,
        };
    }

    private static InstDisc InstDisc(KnownAnswerCase given, BankContrast contrast) => new()
    {
        Contrast = contrast,
        Start = BankStart.Random,
        Temperature = given.Parameters.GetProperty("temperature").GetDouble(),
        NoiseRows = contrast == BankContrast.Nce ? given.Parameters.GetProperty("negatives").GetInt32() : null,
        BankMomentum = given.Parameters.GetProperty("bank_momentum").GetDouble(),
        ProximalWeight = NumberOrZero(given, "proximal_weight"),
        Epsilon = NumberOrZero(given, "epsilon"),
        ProjectionSize = new Stack(given, "projector").OutputSize,
    };

    private static Cmc Cmc(KnownAnswerCase given) => new()
    {
        Contrast = BankContrast.Nce,
        Start = BankStart.Random,
        Temperature = given.Parameters.GetProperty("temperature").GetDouble(),
        NoiseRows = given.Parameters.GetProperty("negatives").GetInt32(),
        BankMomentum = given.Parameters.GetProperty("bank_momentum").GetDouble(),
        Epsilon = NumberOrZero(given, "epsilon"),
        ProjectionSize = new Stack(given, "projector_l").OutputSize,
    };

    private static Cpc Cpc(KnownAnswerCase given, CpcCandidates candidates)
    {
        int[] steps = [.. given.Inputs.GetProperty("initial").EnumerateObject().Select(entry => PredictorName().Match(entry.Name))
            .Where(match => match.Success).Select(match => int.Parse(match.Groups["step"].Value, CultureInfo.InvariantCulture))];
        return new Cpc { Candidates = candidates, FirstStep = steps.Min(), PredictionSteps = steps.Max(), ExamplesTogether = int.MaxValue, PredictionScale = 1 };
    }

    [GeneratedRegex(@"^predictor_step(?<step>\d+)\.weight$")]
    private static partial Regex PredictorName();

    private static SimCse SimCse(KnownAnswerCase given) => new()
    {
        Temperature = given.Parameters.GetProperty("temperature").GetDouble(),
        HardNegativeWeight = NumberOrZero(given, "hard_negative_weight"),
        KeepsMlp = false,
        MaxGradientNorm = double.MaxValue,
    };

    private static ESimCse ESimCse(KnownAnswerCase given) => new()
    {
        Temperature = given.Parameters.GetProperty("temperature").GetDouble(),
        Momentum = given.Parameters.GetProperty("momentum").GetDouble(),
        QueueLength = given.Parameters.GetProperty("queue").GetInt32(),
        ReleasedCode = given.Parameters.GetProperty("order").GetString() == "released",
        MaxGradientNorm = double.MaxValue,
    };

    /// <summary>The encoder; with its context where it has one, or both where the case has two that see columns of their own.</summary>
    private static (Func<Generator, nn.Module<Tensor, Tensor>> Build, int Size) EncoderOf(KnownAnswerCase given)
    {
        Stack one = new(given, "encoder"), first = new(given, "encoder_l"), second = new(given, "encoder_ab");
        if (given.Inputs.GetProperty("initial").TryGetProperty("context.weight_hh", out JsonElement gates))
        {
            int context = gates[0].GetArrayLength();
            return (
                generator => new SequenceModule(one.BuildWithoutActivation(generator), one.OutputSize, new Gru(one.OutputSize, context, generator), context),
                context);
        }
        if (new Stack(given, "image_encoder") is { Layers: > 0 } image)
            return (
                generator => new ImageTextModule(
                    image.BuildWithoutActivation(generator), null, new Stack(given, "text_encoder").BuildWithoutActivation(generator), null, hasBias: false),
                image.OutputSize);
        if (one.IsLinearAlone && given.Objective.Contains("simcse", StringComparison.Ordinal))
            return (generator => one.BuildWith(new Tanh(), generator), one.OutputSize);
        if (one.Layers > 0)
            return (one.Build, one.OutputSize);
        long columns = first.InputSize;
        return (
            generator => new MultiviewModule(
                [("luminance", first.Build(generator), first.OutputSize), ("color", second.Build(generator), second.OutputSize)],
                picture => [picture.narrow(1, 0, columns), picture.narrow(1, columns, picture.shape[1] - columns)]),
            first.OutputSize + second.OutputSize);
    }

    private static double NumberOrZero(KnownAnswerCase given, string parameter)
        => given.Parameters.TryGetProperty(parameter, out JsonElement value) ? value.GetDouble() : 0;

    private static SwAV SwAV(KnownAnswerCase given, bool jointForward)
    {
        Stack projector = new(given, "projector");
        return new SwAV
        {
            Prototypes = given.Inputs.GetProperty("initial").GetProperty("prototypes.weight").GetArrayLength(),
            Temperature = given.Parameters.GetProperty("temperature").GetDouble(),
            Epsilon = given.Parameters.GetProperty("epsilon").GetDouble(),
            SinkhornIterations = given.Parameters.GetProperty("iterations").GetInt32(),
            QueueLength = 0,
            FrozenPrototypeSteps = given.Parameters.GetProperty("frozen_prototype_steps").GetInt64(),
            ProjectorLayers = projector.Layers,
            HiddenSize = projector.HiddenSize,
            ProjectionSize = projector.OutputSize,
            JointForward = jointForward,
        };
    }

    /// <summary>Null where the teacher's temperatures lie on no line.</summary>
    private static Dino? Dino(KnownAnswerCase given, bool jointForward)
    {
        Stack head = new(given, "head");
        double[] temperatures = [.. given.Parameters.GetProperty("teacher_temperatures").EnumerateArray().Select(value => value.GetDouble())];
        int warmup = Array.IndexOf(temperatures, temperatures[^1]) + 1;
        var method = new Dino
        {
            OutputSize = given.Inputs.GetProperty("initial").GetProperty("centre").GetArrayLength(),
            StudentTemperature = given.Parameters.GetProperty("student_temperature").GetDouble(),
            FirstTeacherTemperature = temperatures[0],
            TeacherTemperature = temperatures[^1],
            TeacherWarmupSteps = warmup,
            CentreMomentum = given.Parameters.GetProperty("centre_momentum").GetDouble(),
            Momentum = given.Parameters.GetProperty("momentum").GetDouble(),
            MomentumRises = false,
            FrozenLastLayerSteps = given.Parameters.GetProperty("frozen_last_layer_steps").GetInt64(),
            ProjectorLayers = head.Layers,
            HiddenSize = head.HiddenSize,
            ProjectionSize = head.OutputSize,
            JointForward = jointForward,
        };
        bool isLine = temperatures.Index().All(entry => Math.Abs(
            entry.Item - Contrastive.Dino.Warmed(method.FirstTeacherTemperature, method.TeacherTemperature, warmup, entry.Index)) < 1e-12);
        return isLine ? method : null;
    }

    private static JsonObject? Train(KnownAnswerCase given, ContrastiveMethod method)
    {
        if (given.Parameters.TryGetProperty("optimizer", out JsonElement optimizer)
            && optimizer.GetString() != "plain SGD, no momentum, no weight decay")
            return null;
        Tensor[] views = [.. given.Inputs.GetProperty("views").EnumerateObject().Select(view => view.Value.ToTensor())]; // each [steps, N, inputs]
        long steps = views[0].shape[0], rows = views[0].shape[1];
        double rate = given.Parameters.GetProperty("learning_rate").GetDouble();
        (Func<Generator, nn.Module<Tensor, Tensor>> build, int featureSize) = EncoderOf(given);

        using var generator = new Generator(0);
        Tensor? indices = given.Inputs.TryGetProperty("indices", out JsonElement rowsOfData) ? rowsOfData.ToTensor().to(ScalarType.Int64) : null; // [steps, N] or [steps, N, 1 + m]
        // A bank has a row for each picture of the data.
        long count = given.Inputs.GetProperty("initial").EnumerateObject()
            .Where(entry => entry.Name.StartsWith("bank", StringComparison.Ordinal)).Select(bank => (long)bank.Value.GetArrayLength()).FirstOrDefault(steps * rows);
        var facts = new RunFacts(count, (int)rows, steps, ImageHeight: 1, ImageWidth: 1, Channels: 3, featureSize);
        var setup = new LearnerSetup(() => build(generator), featureSize, generator, facts);
        using Learner learner = method.Resolve(facts).CreateLearner(setup);
        learner.to(ScalarType.Float64);
        learner.train();
        foreach (MomentumPair pair in learner.MomentumPairs)
            pair.CopyToTarget();
        if (learner is BankLearner withNoise)
            withNoise.DrawNoise = (_, _, step) => indices![step.Index];
        Load(learner, given.Inputs.GetProperty("initial"));

        var losses = new JsonArray();
        using (var runner = new StepRunner(learner, new Sgd { Momentum = 0 }))
            for (long step = 0; step < steps; step++)
            {
                Tensor[] each = [.. views.Select(view => view[step])];
                using Views batch = indices is null ? new(each) : new(each) { RowIndices = indices.dim() == 2 ? indices[step] : indices[step].select(1, 0) };
                losses.Add(runner.Run(batch, new Step(step, steps, seed: 0), rate, rate).Loss);
            }
        var final = new JsonObject(learner.state_dict().Select(entry => KeyValuePair.Create(NameInCase(entry.Key), (JsonNode?)entry.Value.detach().ToJson())));
        if (final["pointer"] is { } pointer)
            final["pointer"] = pointer[0]!.DeepClone(); // a tensor of one number
        if (learner is ESimCseLearner)
        {
            Tensor ring = learner.state_dict()["queue.keys"];
            final["queue"] = ring.roll(-(long)final["pointer"]!.GetValue<double>(), 0).ToJson(); // the case has the oldest first
        }
        foreach (string z in new[] { "Z", "Z_l", "Z_ab" })
            if (final[z] is { } logarithm)
                final[z] = Math.Exp((double)logarithm);
        return new JsonObject { ["losses"] = losses, ["final"] = final };
    }

    /// <summary>Gives each tensor of the learner its initial value; the queue's pointer and NCE's Z start by themselves.</summary>
    private static void Load(Learner learner, JsonElement initial)
    {
        using var noGradient = no_grad();
        Dictionary<string, Tensor> state = learner.state_dict().ToDictionary(entry => NameInCase(entry.Key), entry => entry.Value);
        bool queueStartsEmpty = state.ContainsKey("queue.filled");
        Assert.Equal(
            initial.EnumerateObject().Select(entry => entry.Name).Order(),
            state.Keys.Where(name => name is not ("pointer" or "Z" or "Z_l" or "Z_ab" or "queue.filled") && !(queueStartsEmpty && name == "queue")).Order());
        foreach (JsonProperty entry in initial.EnumerateObject())
        {
            Tensor value = entry.Value.ToTensor();
            Assert.Equal(value.shape, state[entry.Name].shape);
            state[entry.Name].copy_(value);
        }
    }

    private static string NameInCase(string name) => name switch
    {
        "queue.keys" => "queue",
        "queue.pointer" => "pointer",
        "centre.mean" => "centre",
        "bank.rows" => "bank",
        "partition.log_z" => "Z",
        "luminance_bank.rows" => "bank_l",
        "color_bank.rows" => "bank_ab",
        "luminance_color_partition.log_z" => "Z_l",
        "color_luminance_partition.log_z" => "Z_ab",
        _ => name
            .Replace("encoder.image.", "image_encoder.", StringComparison.Ordinal).Replace("encoder.text.", "text_encoder.", StringComparison.Ordinal).Replace("encoder.logit_scale", "logit_scale", StringComparison.Ordinal)
            .Replace("encoder.luminance.", "encoder_l.", StringComparison.Ordinal).Replace("encoder.color.", "encoder_ab.", StringComparison.Ordinal)
            .Replace("encoder.windows.", "encoder.", StringComparison.Ordinal).Replace("encoder.context.", "context.", StringComparison.Ordinal)
            .Replace("mlp.", "mlp.0.", StringComparison.Ordinal)
            .Replace("luminance_projector.", "projector_l.", StringComparison.Ordinal).Replace("color_projector.", "projector_ab.", StringComparison.Ordinal),
    };

    private sealed class Tanh() : nn.Module<Tensor, Tensor>(nameof(Tanh))
    {
        public override Tensor forward(Tensor input) => input.tanh();
    }

    /// <summary>A sequence of layers as its tensors show it: what has none, between the others or behind the encoder's last, is ReLU.</summary>
    private sealed class Stack
    {
        private readonly List<Dictionary<string, long[]>> _layers = [];

        /// <param name="given">The case, of whose initial tensors those called <c>role.index.name</c> count.</param>
        /// <param name="role">encoder, projector or predictor.</param>
        public Stack(KnownAnswerCase given, string role)
        {
            foreach (JsonProperty entry in given.Inputs.GetProperty("initial").EnumerateObject())
            {
                if (entry.Name.Split('.') is not [string owner, string index, string name] || owner != role)
                    continue;
                int layer = int.Parse(index, CultureInfo.InvariantCulture);
                while (_layers.Count <= layer)
                    _layers.Add([]);
                _layers[layer][name] = entry.Value.ToTensor().shape;
            }
        }

        private IEnumerable<long[]> LinearWeights => _layers.Where(IsLinear).Select(layer => layer["weight"]);

        public int Layers => LinearWeights.Count();

        public long InputSize => LinearWeights.First()[1];

        public int OutputSize => (int)LinearWeights.Last()[0];

        public int HiddenSize => (int)LinearWeights.First()[0];

        public bool IsLinearAlone => _layers.Count == 1 && IsLinear(_layers[0]);

        public bool HasOutputNorm => IsNorm(_layers[^1]);

        public bool HasOutputBias => _layers.Last(IsLinear).ContainsKey("bias");

        public bool HasHiddenNorm => _layers.Count > 1 && IsNorm(_layers[1]);

        public nn.Module<Tensor, Tensor> Build(Generator generator) => nn.Sequential([.. _layers.Append([]).Select(layer => Module(layer, generator))]);

        public nn.Module<Tensor, Tensor> BuildWith(nn.Module<Tensor, Tensor> activation, Generator generator)
            => nn.Sequential([.. _layers.Select(layer => Module(layer, generator)), activation]);

        public nn.Module<Tensor, Tensor> BuildWithoutActivation(Generator generator) => nn.Sequential([.. _layers.Select(layer => Module(layer, generator))]);

        private static nn.Module<Tensor, Tensor> Module(Dictionary<string, long[]> layer, Generator generator)
            => IsLinear(layer) ? new Linear(layer["weight"][1], layer["weight"][0], generator, layer.ContainsKey("bias"))
                : IsNorm(layer) ? new BatchNorm(layer["running_mean"][0], affine: layer.ContainsKey("weight"))
                : layer.TryGetValue("weight", out long[]? width) ? new LayerNorm(width[0], 1e-5)
                : new Relu();

        private static bool IsLinear(Dictionary<string, long[]> layer) => layer.TryGetValue("weight", out long[]? shape) && shape.Length == 2;

        private static bool IsNorm(Dictionary<string, long[]> layer) => layer.ContainsKey("running_mean");
    }
}
