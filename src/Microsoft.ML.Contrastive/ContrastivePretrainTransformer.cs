using Microsoft.ML;
using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

[assembly: LoadableClass(
    typeof(ContrastivePretrainTransformer), null, typeof(SignatureLoadModel),
    "Contrastive encoder", ContrastivePretrainTransformer.LoaderSignature)]

namespace Microsoft.ML.Contrastive;

/// <summary>A fitted encoder: adds a known-size vector of Single, the representation of each row's picture, text or sequence.</summary>
public sealed class ContrastivePretrainTransformer : FeaturesTransformer
{
    internal const string LoaderSignature = "ContrastiveEncoder";

    internal ContrastivePretrainTransformer(IHostEnvironment environment, PretrainedEncoder encoder)
        : base(environment.Register(nameof(ContrastivePretrainTransformer)), encoder)
    {
    }

    /// <summary>The network's shape.</summary>
    public Encoder Encoder => Manifest.Input.Network;

    /// <summary>Names of the columns that the network takes: one, unless it was trained on several columns of pictures.</summary>
    public IReadOnlyList<string> InputColumnNames => Manifest.Input is MultiviewInput several ? several.Columns : [Manifest.InputColumn];

    private protected override VersionInfo SavedVersion => Version();

    /// <summary>
    /// The network of one of several columns alone, which is shared: an encoder of pictures like any other, whose features are that view's, and which needs no more than its column.
    /// </summary>
    /// <param name="inputColumnName">One of <see cref="InputColumnNames"/>.</param>
    /// <exception cref="ArgumentException">It is none of them.</exception>
    public ContrastivePretrainTransformer Only(string inputColumnName)
    {
        PretrainedEncoder weights = Weights;
        if (InputColumnNames.ToList().IndexOf(inputColumnName) is not (>= 0 and int view))
            throw new ArgumentException($"The encoder takes '{string.Join("' and '", InputColumnNames)}', not '{inputColumnName}'.", nameof(inputColumnName));
        return new ContrastivePretrainTransformer(Host, weights.Manifest.Input is MultiviewInput several
            ? weights.With(weights.Manifest with { Input = several.Views[view], InputColumn = inputColumnName }, ((MultiviewModule)weights.Module).Parts[view])
            : weights);
    }

    /// <summary>
    /// This encoder as an estimator that does not train again, so that a chain with a trainer behind it can be fitted many
    /// times, by cross-validation for instance.
    /// </summary>
    public IEstimator<ContrastivePretrainTransformer> AsEstimator()
        => new FittedEncoderEstimator<ContrastivePretrainTransformer>(Weights, encoder => new ContrastivePretrainTransformer(Host, encoder));

    /// <summary>
    /// The same network computing in other numbers, which a model zip keeps. With <see cref="Precision.BFloat16"/> vectors differ in the third digit. It shares the weights:
    /// dispose both.
    /// </summary>
    /// <param name="precision">In which numbers.</param>
    public ContrastivePretrainTransformer WithPrecision(Precision precision) => new(Host, Weights.With(precision));

    // Called by ML.NET's loader, through the LoadableClass attribute above.
    private static ContrastivePretrainTransformer Create(IHostEnvironment environment, ModelLoadContext ctx)
    {
        (PretrainedEncoder encoder, string? warning) = Read(environment, ctx, Version());
        var transformer = new ContrastivePretrainTransformer(environment, encoder);
        if (warning is not null)
            transformer.Log(channel => channel.Warning(warning));
        return transformer;
    }

    private static VersionInfo Version() => Version("CONTRENC", LoaderSignature);
}

/// <summary>A fitted encoder as an estimator; see <see cref="ContrastivePretrainTransformer.AsEstimator"/>.</summary>
internal sealed class FittedEncoderEstimator<TTransformer>(PretrainedEncoder encoder, Func<PretrainedEncoder, TTransformer> create) : IEstimator<TTransformer>
    where TTransformer : FeaturesTransformer
{
    public TTransformer Fit(IDataView input)
    {
        TTransformer transformer = create(encoder);
        _ = transformer.GetOutputSchema(input.Schema);
        return transformer;
    }

    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
        => ContrastivePretrainEstimator.AddFeatures(inputSchema, encoder.Manifest.OutputColumn, encoder.Manifest.Input is MultiviewInput several
            ? several.Columns.Zip(several.Views, (name, view) => (name, view.Kind()))
            : [(encoder.Manifest.InputColumn, encoder.Manifest.Input.Kind())]);
}
