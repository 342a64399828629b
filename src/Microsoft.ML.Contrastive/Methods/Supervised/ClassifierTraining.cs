using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The recipe of a classifier on an encoder: from labels (<see cref="LabelCrossEntropy"/>), from a teacher (<see cref="Distillation"/>), or from both. It
/// takes the same loop, checkpoints and progress as the methods without labels do.
/// </summary>
internal sealed record ClassifierTraining : ContrastiveMethod
{
    public TrainedLayers Trains { get; init; }

    /// <summary>How many, where <see cref="Trains"/> is <see cref="TrainedLayers.LastStages"/>.</summary>
    public int Stages { get; init; } = 1;

    public double LabelSmoothing { get; init; }

    /// <summary>t of <see cref="Distillation"/>.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>a of <see cref="Distillation.WithLabels"/>.</summary>
    public double DistillationWeight { get; init; } = 1;

    /// <summary>A digest of labels, teacher and validation rows, so that a checkpoint goes on with these only.</summary>
    public string Fingerprint => Data.Fingerprint;

    [JsonIgnore]
    public ClassifierData Data { get; init; } = ClassifierData.None;

    /// <summary>The teacher's logits of a batch of views; null where labels alone teach.</summary>
    [JsonIgnore]
    public Func<Tensor, Tensor>? Teacher { get; init; }

    public override ContrastiveMethod Resolve(RunFacts facts) => this with
    {
        Augmentations = Augmentations ?? [new ImageAugmentation { Crop = new(facts.SmallImages ? 0.5 : 0.08, 1) }],
        Optimizer = Optimizer ?? new AdamW { WeightDecay = 0.01 },
        LearningRate = LearningRate ?? new(Trains == TrainedLayers.Head ? 1e-2 : 1e-3, Scaling: RateScaling.None),
    };

    public override Learner CreateLearner(LearnerSetup setup) => new ClassifierLearner(this, setup);
}

/// <summary>The classifier in training, its labels, and the best that was seen of it.</summary>
internal sealed class ClassifierLearner : Learner
{
    private readonly PictureClassifier classifier;
    private readonly PictureClassifier? best;
    private readonly Tensor labels, best_accuracy;
    private readonly IReadOnlyList<BatchNorm> _frozenNorms;
    private readonly ClassifierTraining _recipe;
    private readonly long _stepsPerEpoch;

    public ClassifierLearner(ClassifierTraining recipe, LearnerSetup setup)
        : base(nameof(ClassifierTraining))
    {
        (_recipe, _stepsPerEpoch) = (recipe, setup.Facts.StepsPerEpoch);
        classifier = Create();
        best = recipe.Data.Accuracy is null ? null : Create();
        labels = tensor(recipe.Data.Labels);
        best_accuracy = tensor(new[] { -1.0 });
        RegisterComponents();
        foreach (TorchSharp.Modules.Parameter parameter in best?.parameters() ?? [])
            parameter.requires_grad_(false);
        HashSet<string> trained = recipe.Trains switch
        {
            TrainedLayers.All => [""],
            TrainedLayers.LastStages => [.. ((ImageEncoder)setup.Facts.Encoder!).Stages.TakeLast(recipe.Stages).SelectMany(stage => stage)],
            _ => [],
        };
        _frozenNorms = classifier.Freeze(name => trained.Any(start => name.StartsWith(start, StringComparison.Ordinal)));

        PictureClassifier Create() => new(setup.CreateEncoder(), setup.FeatureSize, recipe.Data.Classes, setup.Generator);
    }

    public override nn.Module<Tensor, Tensor> Encoder => classifier;

    /// <summary>What is frozen stays in evaluation mode: its batch norms use and keep the statistics of pretraining.</summary>
    public override void train(bool on = true)
    {
        base.train(on);
        foreach (BatchNorm norm in _frozenNorms)
            norm.eval();
    }

    public override Tensor Loss(Views views, Step step)
    {
        Tensor logits = classifier.forward(views[0]), wanted = labels.index_select(0, views.RowIndices);
        return _recipe.Teacher is null
            ? LabelCrossEntropy.Loss(logits, wanted, _recipe.LabelSmoothing)
            : Distillation.WithLabels(logits, _recipe.Teacher(views[0]), wanted, _recipe.Temperature, _recipe.DistillationWeight);
    }

    /// <summary>At the end of each epoch the held-out pictures say whether it is the best so far; the run ends with the best. Of equals the later counts.</summary>
    public override void AfterStep(Step step)
    {
        bool isLast = step.Index + 1 == step.Total;
        if (best is null || ((step.Index + 1) % _stepsPerEpoch != 0 && !isLast))
            return;
        classifier.eval();
        double accuracy = _recipe.Data.Accuracy!(classifier);
        train();
        if (accuracy >= best_accuracy.item<double>())
        {
            best_accuracy.Fill(accuracy);
            ModuleState.Copy(classifier, best);
        }
        if (isLast)
            ModuleState.Copy(best, classifier);
    }
}

/// <summary>What a classifier is trained on, beside its pictures.</summary>
/// <param name="Labels">The class of each picture, from 0, or <see cref="LabelCrossEntropy.NoLabel"/>.</param>
/// <param name="Classes">How many.</param>
/// <param name="Fingerprint">Digest of all that decides the run beside pictures and settings.</param>
/// <param name="Accuracy">Accuracy on pictures held out, by which the best epoch's weights are kept; null keeps the last.</param>
internal sealed record ClassifierData(long[] Labels, int Classes, string Fingerprint, Func<PictureClassifier, double>? Accuracy)
{
    /// <summary>What is known before the rows are read.</summary>
    public static ClassifierData None { get; } = new([], 0, "", null);
}
