using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>A run's texts, alone or with a positive and a hard negative each.</summary>
internal sealed class TextExamples : Examples
{
    private readonly TokenStore _store;
    private readonly TextStart _start;
    private readonly int _texts, _classes;
    private readonly long[] _labels;

    private TextExamples(TokenStore store, TextStart start, int texts, long[] labels, int classes)
        => (_store, _start, _texts, _labels, _classes) = (store, start, texts, labels, classes);

    public override string Name => "texts";

    public override int Count => _store.Count;

    public override Func<int, int> Length => _store.Length;

    public override Tokenizer Tokenizer => _start.Tokenizer;

    public override Action<nn.Module>? FirstWeights => _start.Load;

    /// <summary>What the settings alone decide, checked before any data is there.</summary>
    public static void Check(ContrastivePretrainEstimator.Options options)
    {
        if (options.ImageShape is not null || options.ImageSize is not null || options.Sequence is not null)
            throw new ArgumentException($"{options.Method.GetType().Name} learns from texts: leave out ImageShape, ImageSize and Sequence, or choose another method.", nameof(options.Method));
        if (options.Training.Monitor is not (null or SimilarityMonitor))
            throw new ArgumentException($"A {options.Training.Monitor.GetType().Name} watches no training on texts: choose a SimilarityMonitor, or measure with mlContext.Representation() afterwards.", nameof(options.Training.Monitor));
        if (options.NegativeColumnName is not null && options.PositiveColumnName is null)
            throw new ArgumentException("A hard negative stands beside a positive: set PositiveColumnName too.", nameof(options.PositiveColumnName));
        if (options.Prompt?.Length > TextInput.LongestPrompt)
            throw new ArgumentException($"The prompt has {options.Prompt.Length} characters; {TextInput.LongestPrompt} are the most.", nameof(options.Prompt));
        ((TextMethod)options.Method).CheckTexts(ColumnNames(options).Count, hasLabels: options.LabelColumnName is not null);
        if (options.Encoder is { } encoder && encoder is not TextEncoder)
            throw new ArgumentException($"A {encoder.GetType().Name} takes no texts: leave the encoder out, or choose a TextEncoder.", nameof(options.Encoder));
    }

    /// <param name="input">The data.</param>
    /// <param name="options">The estimator's.</param>
    /// <param name="earlier">The encoder that training goes on from, whose vocabulary is taken; or null.</param>
    /// <param name="reading">Reads.</param>
    public static TextExamples Read(IDataView input, ContrastivePretrainEstimator.Options options, PretrainedEncoder? earlier, ColumnReading reading)
    {
        IReadOnlyList<string> names = ColumnNames(options);
        TextColumn[] columns = [.. names.Select(name => new TextColumn(input.Schema, name))];
        KeyLabelColumn? label = options.LabelColumnName is null ? null : new KeyLabelColumn(input.Schema, options.LabelColumnName, isNeeded: true);
        TextStart start = earlier is { Tokenizer: { } tokenizer, Manifest.Input: TextInput text }
            ? new TextStart(text.Encoder, tokenizer, null) { Prompt = text.Prompt }
            : TextStart.Create((TextEncoder?)options.Encoder ?? TextEncoder.Small(), options.Prompt, () => reading.Texts(input, columns));
        start = start.For((TextMethod)options.Method, columns.Length);
        TextInput texts = start.Input(options.EmptyTexts, options.Prompt);
        var store = new TokenStore(new ByteStore(options.Training.MemoryBudget, options.Training.ScratchFolder));
        try
        {
            long cut = 0, all = 0;
            long[] labels = reading.Read(input, columns[0].Index, string.Join("', '", names), "text", row =>
            {
                Func<long, ReadOnlyMemory<char>>[] readers = [.. columns.Select(column => column.CreateReader(row, options.EmptyTexts))];
                var ids = new List<int>();
                return position =>
                {
                    ids.Clear();
                    foreach ((int index, Func<long, ReadOnlyMemory<char>> read) in readers.Index())
                    {
                        ReadOnlyMemory<char> value = read(position);
                        if (value.IsEmpty)
                            return false;
                        if (index > 0)
                            ids.Add(TokenStore.Separator);
                        all++;
                        if (texts.Encode(start.Tokenizer, value.Span, ids))
                            cut++;
                    }
                    store.Add(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(ids));
                    return true;
                };
            }, label?.Rows, more: columns.Skip(1).Select(column => column.Index));
            if (cut > 0)
                reading.Warn(CutTexts.Message(cut, all, start.Encoder));
            store.Seal();
            reading.Log(store.ScratchLength, "token ids");
            return new TextExamples(store, start, columns.Length, labels, label?.Count ?? 0) { Input = texts };
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    public override RunFacts Facts(int batchSize, long steps)
        => new(Count, batchSize, steps, ImageHeight: 0, ImageWidth: 0, Channels: 0, Input.Network.FeatureSize)
        {
            Encoder = Input.Network,
            TextsPerExample = _texts,
            Classes = _classes,
            StartsPretrained = _start.IsPretrained,
        };

    public override string Fingerprint()
        => _classes == 0 ? _store.Fingerprint() : Checkpoint.Digest(stream =>
        {
            stream.Write(System.Text.Encoding.ASCII.GetBytes(_store.Fingerprint()));
            stream.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes<long>(_labels));
        });

    /// <summary>Token ids of each view, filled to the longest of the batch: [N, T].</summary>
    public override BatchMaker CreateMaker(ContrastiveMethod method)
    {
        var recipe = (TextMethod)method;
        var tokens = new TokenKinds(Tokenizer.Vocabulary.Count, Tokenizer.IsSpecial, Tokenizer.MaskId, ((TextInput)Input).Encoder.MostTokens);
        return (rows, epoch, seed) =>
        {
            _store.Prefetch(rows, CLibrary.ReadAhead);
            var examples = new IReadOnlyList<int[]>[rows.Length];
            for (int i = 0; i < rows.Length; i++)
                examples[i] = recipe.MakeViews(_store[rows[i]], tokens, new SeededRandom(seed, (ulong)epoch, (ulong)rows[i]));
            int longest = examples.Max(views => views.Max(view => view.Length));
            Tensor[] made = [.. Enumerable.Range(0, examples[0].Count).Select(view => TextTensors.Of([.. examples.Select(views => views[view])], longest))];
            if (_classes == 0)
                return new Views(made) { RowIndices = Views.IndicesOf(rows) };
            long[] labels = new long[rows.Length];
            for (int i = 0; i < labels.Length; i++)
                labels[i] = _labels[rows[i]];
            return new Views(made) { RowIndices = Views.IndicesOf(rows), Labels = tensor(labels) };
        };
    }

    public override void Dispose() => _store.Dispose();

    private static IReadOnlyList<string> ColumnNames(ContrastivePretrainEstimator.Options options)
        => [.. new[] { options.Input, options.PositiveColumnName, options.NegativeColumnName }.OfType<string>()];
}
