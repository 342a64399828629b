using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A method that learns from texts. Its views are token ids [N, T] of int64, filled with -1 behind each text's end; view 0 is the text, and where the user gave
/// columns of positives and hard negatives, these are views 1 and 2.
/// </summary>
public abstract record TextMethod : ContrastiveMethod
{
    /// <summary>How many texts an example may have: 1 for the text alone, 2 with a positive, 3 with a hard negative too.</summary>
    protected abstract (int Least, int Most) Texts { get; }

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        if (Augmentations is not null)
            throw new ArgumentException($"Augmentations of {GetType().Name} are for pictures: leave them out for texts.", nameof(Augmentations));
    }

    /// <summary>The encoder that this method trains where the user chose <paramref name="chosen"/>.</summary>
    /// <param name="chosen">The user's.</param>
    /// <param name="texts">Texts of an example.</param>
    internal virtual TextEncoder EncoderFor(TextEncoder chosen, int texts) => chosen;

    /// <summary>The views of an example, as token ids; by default its texts as they are.</summary>
    /// <param name="texts">The ids of each of its texts, special tokens with them.</param>
    /// <param name="tokens">The vocabulary's kinds of ids.</param>
    /// <param name="random">Belongs to the example and the epoch.</param>
    internal virtual IReadOnlyList<int[]> MakeViews(int[][] texts, TokenKinds tokens, SeededRandom random) => texts;

    /// <summary>Whether examples of so many texts need a label, and no others may have one.</summary>
    internal virtual bool NeedsLabels(int texts) => false;

    /// <summary>Throws unless the method can learn from examples of so many texts, with or without labels.</summary>
    internal void CheckTexts(int texts, bool hasLabels)
    {
        if (hasLabels != NeedsLabels(texts) && texts >= Texts.Least && texts <= Texts.Most)
            throw new ArgumentException(hasLabels
                ? $"{GetType().Name} does not learn from labels here: leave LabelColumnName out, or choose new ConSert() with a PositiveColumnName."
                : $"{GetType().Name} learns from pairs together with their classes: set LabelColumnName, or leave PositiveColumnName out.");
        if (texts < Texts.Least)
            throw new ArgumentException($"{GetType().Name} needs {(Texts.Least == 2 ? "a column of positives: set PositiveColumnName" : "columns of positives and negatives: set PositiveColumnName and NegativeColumnName")}.");
        if (texts > Texts.Most)
            throw new ArgumentException($"{GetType().Name} learns from {(Texts.Most == 1 ? "texts alone: leave PositiveColumnName out" : "pairs: leave NegativeColumnName out")}, or choose new SimCse().");
    }

    /// <summary>
    /// Seeds the dropout of a network for one pass of a step: without it, a pass in training can't draw. Two passes of one step need numbers of their own.
    /// </summary>
    /// <param name="network">An encoder, or a learner that holds some.</param>
    /// <param name="step">The step.</param>
    /// <param name="pass">Which pass of the step, from 0.</param>
    protected internal static void SeedDropout(nn.Module network, Step step, int pass = 0)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(step);
        Dropout.Seed(network, new SeededRandom(step.Seed, (ulong)step.Index, ulong.MaxValue, 16 + (ulong)pass).NextBits());
    }
}
