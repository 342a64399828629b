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

    private protected override VersionInfo SavedVersion => Version();

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
        => ContrastivePretrainEstimator.AddFeatures(inputSchema, encoder.Manifest.OutputColumn, encoder.Manifest.InputColumn, encoder.Manifest.Input.Kind());
}
