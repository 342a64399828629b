using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Words as vectors, with what turns their likeness to a picture into scores.</summary>
/// <param name="Labels">The words, key 1 first.</param>
/// <param name="Settings">Templates and scores.</param>
/// <param name="Vectors">[C, E] of length 1.</param>
internal sealed record ZeroShotClasses(ClassLabels Labels, ZeroShotSettings Settings, float[] Vectors)
{
    /// <summary>Throws where labels are no classes.</summary>
    /// <exception cref="ArgumentException">There is none, or one is blank or comes twice; it is named.</exception>
    public static void Check(IReadOnlyList<string> labels)
    {
        ArgumentNullException.ThrowIfNull(labels);
        if (labels.Count == 0)
            throw new ArgumentException("There are no labels: give the words that pictures are to be sorted into, such as [\"cat\", \"dog\"].", nameof(labels));
        if (labels.Count > ClassLabels.MaxCount)
            throw new ArgumentException($"There are {labels.Count} labels; {ClassLabels.MaxCount} are the most.", nameof(labels));
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach ((int index, string label) in labels.Index())
        {
            if (string.IsNullOrWhiteSpace(label))
                throw new ArgumentException($"Label {index + 1} of {labels.Count} is empty: give each class a word.", nameof(labels));
            if (!seen.Add(label.Trim()))
                throw new ArgumentException($"The label '{label}' comes twice: each class needs a word of its own.", nameof(labels));
        }
    }

    /// <summary>Two labels that are the same tokens to a network, such as those that differ in case alone or behind what it cuts off; null where there are none.</summary>
    public static (string First, string Second)? Alike(PretrainedEncoder network, IEnumerable<string> labels)
    {
        var seen = new Dictionary<string, string>(StringComparer.Ordinal);
        TextInput texts = network.Manifest.Pairs().Texts;
        foreach (string label in labels)
        {
            var ids = new List<int>();
            _ = texts.Encode(network.Tokenizer!, label, ids);
            string tokens = string.Join(' ', ids);
            if (!seen.TryAdd(tokens, label))
                return (seen[tokens], label);
        }
        return null;
    }

    /// <summary>Logits [N, C] from unit vectors of pictures [N, E].</summary>
    public static Tensor Logits(Tensor images, Tensor classes, ZeroShotSettings settings) => images.mm(classes.t()).Times(settings.Scale).Plus(settings.Bias);

    /// <summary>Turns a row's logits into scores, in place, and gives the likeliest class's key, from 1; 0 where they are NaN.</summary>
    public int Decide(Span<float> logits)
    {
        if (!Settings.IsSigmoid)
            return ClassColumns.Decide(logits);
        int best = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            if (logits[i] > logits[best])
                best = i;
        }
        int key = float.IsNaN(logits[best]) ? 0 : best + 1;
        foreach (ref float value in logits)
            value = 1 / (1 + MathF.Exp(-value));
        return key;
    }
}

/// <summary>
/// Vectors of words, of which a model's transformers keep the last few sets that were asked for: going back to labels of before costs nothing.
/// </summary>
internal sealed class ZeroShotVectors
{
    private const int MaxSets = 16, LabelsTogether = 256;
    private readonly Lock _lock = new();
    private readonly List<(IReadOnlyList<string> Labels, IReadOnlyList<string> Templates, float[] Vectors)> _sets = [];

    /// <summary>The vectors [C, E] of some labels, from memory where they were made before.</summary>
    /// <param name="network">Of pictures and texts.</param>
    /// <param name="labels">Checked.</param>
    /// <param name="templates">Sentences for each.</param>
    /// <returns>The vectors; and where they were made now, how many sentences were longer than the network takes, and were cut, and <see cref="ZeroShotClasses.Alike"/>.</returns>
    public (float[] Vectors, int Cut, (string First, string Second)? Alike) Of(PretrainedEncoder network, IReadOnlyList<string> labels, PromptTemplates templates)
    {
        lock (_lock)
        {
            int known = _sets.FindIndex(set => set.Labels.SequenceEqual(labels) && set.Templates.SequenceEqual(templates.Templates));
            if (known >= 0)
                return (_sets[known].Vectors, 0, null);
        }
        int size = network.Manifest.Input.Network.FeatureSize;
        var vectors = new float[labels.Count * size];
        int cut = 0;
        foreach ((int block, string[] some) in labels.Chunk(LabelsTogether).Index()) // the vectors of all sentences would be many times those of the labels
        {
            (float[][] prompts, int cutHere) = network.EmbedTexts(some.SelectMany(templates.For));
            using var scope = NewDisposeScope();
            Tensor all = tensor(prompts.SelectMany(vector => vector).ToArray()).view(some.Length, templates.Templates.Count, size);
            PromptEnsemble.Vectors(all).flatten().data<float>().ToArray().CopyTo(vectors, block * LabelsTogether * size);
            cut += cutHere;
        }
        Keep(labels, templates.Templates, vectors);
        return (vectors, cut, ZeroShotClasses.Alike(network, labels));
    }

    /// <summary>Remembers a set.</summary>
    public void Keep(IReadOnlyList<string> labels, IReadOnlyList<string> templates, float[] vectors)
    {
        lock (_lock)
        {
            if (_sets.Count == MaxSets)
                _sets.RemoveAt(0);
            _sets.Add(([.. labels], [.. templates], vectors));
        }
    }
}
