using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>What is known at the start of a run, from which settings left null are filled.</summary>
/// <param name="Rows">Examples to learn from.</param>
/// <param name="BatchSize">N, examples a step.</param>
/// <param name="TotalSteps">Steps of the whole run.</param>
/// <param name="ImageHeight">Height of a view in pixels; 0 where the examples are no pictures.</param>
/// <param name="ImageWidth">Width of a view in pixels; 0 where the examples are no pictures.</param>
/// <param name="Channels">1 or 3 of pictures, those of all columns together; d, numbers at each time, of sequences.</param>
/// <param name="FeatureSize">D, the length of the encoder's representation.</param>
public sealed record RunFacts(long Rows, int BatchSize, long TotalSteps, int ImageHeight, int ImageWidth, int Channels, int FeatureSize)
{
    /// <summary>Steps of one epoch; the last partial batch is dropped.</summary>
    public long StepsPerEpoch => Rows / BatchSize;

    /// <summary>The network, where it is known and one of the library's: some recipes differ between convolutions and transformers.</summary>
    public Encoder? Encoder { get; init; }

    /// <summary>T, times of a sequence; 0, the default, where the examples are pictures.</summary>
    public int SequenceLength { get; init; }

    /// <summary>Texts of an example, 1 to 3; 0, the default, where the examples are no texts.</summary>
    public int TextsPerExample { get; init; }

    /// <summary>Pictures of an example, each from a column of its own; 1, the default, for most runs.</summary>
    public int ImageColumns { get; init; } = 1;

    /// <summary>Classes of the examples' labels; 0, the default, where there are none.</summary>
    public int Classes { get; init; }

    /// <summary>True where training goes on from learned weights: a published model's, or an earlier encoder's.</summary>
    public bool StartsPretrained { get; init; }

    /// <summary>False where all pictures are gray, in one channel or in three equal ones.</summary>
    public bool HasColor { get; init; } = Channels == 3 && ImageHeight > 0;

    /// <summary>True for views under 64 pixels, where papers on CIFAR-10 change the recipe: no blur, smaller heads.</summary>
    public bool SmallImages => Math.Min(ImageHeight, ImageWidth) < 64;

    /// <summary>A published view as papers on CIFAR-10 take it over: without blur under 64 pixels, otherwise as it is.</summary>
    internal ImageAugmentation AtThisSize(ImageAugmentation view) => SmallImages ? view with { Blur = null } : view;
}

/// <summary>What a method gets to build its learner from.</summary>
/// <param name="CreateEncoder">A new encoder, each time with other random weights: a batch in, [N, D] out.</param>
/// <param name="FeatureSize">D.</param>
/// <param name="Generator">Where heads and memory draw their first values from.</param>
/// <param name="Facts">The run.</param>
public sealed record LearnerSetup(Func<nn.Module<Tensor, Tensor>> CreateEncoder, int FeatureSize, Generator Generator, RunFacts Facts);

/// <summary>
/// A method of self-supervised learning as an immutable record of its recipe: views, optimizer, rate, and the numbers that
/// are its own. A setting left null is filled at the start of Fit by the rule in its documentation, logged, and kept in the
/// model's manifest. Derive from it to train with a method of your own; see docs/own-method.md.
/// </summary>
public abstract record ContrastiveMethod
{
    /// <summary>One recipe per view. Null: the method's published views, without blur under 64 pixels.</summary>
    public IReadOnlyList<ImageAugmentation>? Augmentations { get; init; }

    /// <summary>The optimizer. Null: the method's own, at the scale of the run.</summary>
    public OptimizerSettings? Optimizer { get; init; }

    /// <summary>The learning rate. Null: the method's own, at the scale of the run.</summary>
    public LearningRate? LearningRate { get; init; }

    /// <summary>Largest norm of the whole gradient, above 0; longer ones are shortened to it. Null, the default, for no limit.</summary>
    public double? MaxGradientNorm { get; init; }

    /// <summary>
    /// Largest norm of each parameter's gradient by itself, above 0; longer ones are shortened to it, before <see cref="MaxGradientNorm"/>. Null
    /// for no limit: the default, but for DINO.
    /// </summary>
    public double? MaxParameterGradientNorm { get; init; }

    /// <summary>
    /// Throws where a setting is out of its range, as far as that is known without data: called when the estimator is made, and
    /// on what <see cref="Resolve"/> gave. The base checks its own settings; an override calls it and adds its own.
    /// </summary>
    /// <param name="batchSize">N, examples a step.</param>
    /// <exception cref="ArgumentException">A setting is out of its range; the message names it.</exception>
    public virtual void Validate(int batchSize)
    {
        if (Augmentations is { Count: 0 })
            throw new ArgumentException($"Augmentations of {GetType().Name} is empty: give one recipe per view, or null for the method's own.", nameof(Augmentations));
        foreach (ImageAugmentation augmentation in Augmentations ?? [])
            AugmentationChecks.Check(augmentation ?? throw new ArgumentException($"Augmentations of {GetType().Name} holds null: give one recipe per view.", nameof(Augmentations)));
        Optimizer?.Validate();
        LearningRate?.Validate();
        CheckLimit(MaxGradientNorm, nameof(MaxGradientNorm));
        CheckLimit(MaxParameterGradientNorm, nameof(MaxParameterGradientNorm));

        static void CheckLimit(double? norm, string name)
        {
            if (norm is { } limit && !(limit > 0 && double.IsFinite(limit)))
                throw new ArgumentOutOfRangeException(name, limit, "The largest norm of a gradient must be above 0 and finite; null sets no limit.");
        }
    }

    /// <summary><see cref="Resolve"/>, and what comes of it is checked: a user's own method may have left something out.</summary>
    internal ContrastiveMethod ResolveFully(RunFacts facts)
    {
        ContrastiveMethod method = Resolve(facts);
        bool ofPictures = facts.ImageHeight > 0;
        string? missing = method.Augmentations is null && ofPictures ? nameof(Augmentations)
            : method.Optimizer is null ? nameof(Optimizer)
            : method.LearningRate is null ? nameof(LearningRate) : null;
        if (missing is not null)
            throw new ArgumentException($"{GetType().Name}.Resolve left {missing} null: fill it there, or set it on the method.", missing);
        method.Validate(facts.BatchSize);
        foreach ((int view, ImageAugmentation recipe) in (method.Augmentations ?? []).Index())
            if (recipe.Size is { } size)
                CheckViewSize(view, size, facts);
        return method;
    }

    /// <summary>A view that the network can't take is refused here, by name: within a step it would end in native code.</summary>
    private void CheckViewSize(int view, int size, RunFacts facts)
    {
        ImageEncoder[] encoders = facts.Encoder switch { ImageEncoder encoder => [encoder], MultiviewEncoder several => [.. several.Views], _ => [] };
        int least = encoders.Select(each => each.MinImageSize).Append(1).Max(), multiple = ImageEncoder.LeastCommonMultiple(encoders.Select(each => each.SideMultiple)), most = Math.Max(facts.ImageHeight, facts.ImageWidth);
        if (size < least || size > most || size % multiple != 0)
            throw new ArgumentException($"Augmentations[{view}].Size of {GetType().Name} is {size} pixels, but must be from {least}, the encoder's minimum, to {most}, the run's size{(multiple > 1 ? $", and a multiple of the patch, {multiple}" : "")}.", nameof(Augmentations));
        if ((facts.ImageHeight, facts.ImageWidth) != (size, size) && encoders.FirstOrDefault(each => each.TakesOneSize) is { } fixedSize)
            throw new ArgumentException($"Augmentations[{view}] of {GetType().Name} gives views of {size} pixels, but a {fixedSize.GetType().Name} takes pictures of one size, here {facts.ImageHeight} x {facts.ImageWidth}: give two Augmentations without a Size, or choose ImageEncoder.ResNet50 or ImageEncoder.ViTSmall, which take views of several.", nameof(Augmentations));
    }

    /// <summary>This recipe with every null filled, by documented rules alone. The base fills nothing: override it.</summary>
    /// <exception cref="ArgumentException">A setting is out of its range or does not fit the run.</exception>
    public abstract ContrastiveMethod Resolve(RunFacts facts);

    /// <summary>The encoder that this method trains where the user chose none, for views of which the shorter side has so many pixels.</summary>
    internal virtual ImageEncoder DefaultEncoder(int side) => side < 64 ? ImageEncoder.SmallConvNet() : ImageEncoder.ResNet18();

    /// <summary>The encoder that this method trains where the user chose <paramref name="chosen"/>.</summary>
    /// <exception cref="ArgumentException">It can't train that one; the message says which it can.</exception>
    internal virtual ImageEncoder EncoderFor(ImageEncoder chosen) => chosen;

    /// <summary>The encoder that this method trains on several columns of pictures.</summary>
    /// <exception cref="ArgumentException">It learns from one column alone.</exception>
    internal virtual MultiviewEncoder EncoderFor(MultiviewEncoder chosen)
        => throw new ArgumentException($"{GetType().Name} does not learn from several columns of pictures: give one input column, or choose new Cmc().", nameof(chosen));

    /// <summary>The encoder that this method trains on sequences; null for its default.</summary>
    /// <exception cref="ArgumentException">It learns from pictures alone.</exception>
    internal virtual SequenceEncoder EncoderFor(SequenceEncoder? chosen)
        => throw new ArgumentException($"{GetType().Name} learns from views of pictures, and a sequence has none: choose new Cpc() for sequences, or give an ImageShape instead of a SequenceShape where the vectors hold pictures.", nameof(chosen));

    /// <summary>Builds what trains. Called on a resolved record.</summary>
    public abstract Learner CreateLearner(LearnerSetup setup);

    /// <summary>Throws unless <see cref="Augmentations"/> is null or has this many recipes, all of one <see cref="ImageAugmentation.Size"/>.</summary>
    protected void RequireViews(int count)
    {
        if (Augmentations is not { } given)
            return;
        if (given.Count != count)
            throw new ArgumentException($"{GetType().Name} needs {count} views, but Augmentations has {given.Count}.", nameof(Augmentations));
        if (given.Any(recipe => recipe.Size != given[0].Size))
            throw new ArgumentException($"{GetType().Name} needs views of one size, but the Size of its Augmentations differs.", nameof(Augmentations));
    }
}
