using Microsoft.ML;
using Microsoft.ML.Data;

namespace FewLabels;

/// <summary>
/// One way to turn an image into the numbers that the classifier sees. Where it has a setting of its own there is a
/// candidate for each value, and the validation part chooses.
/// </summary>
internal sealed record Input(string Name, params Candidate[] Candidates);

/// <param name="Encoder">From the column Image to the column Features.</param>
/// <param name="Setting">What sets it apart from the input's other candidates, or nothing.</param>
internal sealed record Candidate(ITransformer Encoder, string Setting);

internal static class Inputs
{
    private sealed class Row
    {
        public byte[] Image { get; set; } = [];
    }

    /// <summary>The images as a column "Image", a vector of bytes, one at a time and without labels.</summary>
    public static IDataView View(MLContext ml, ImageSet set, IEnumerable<int> images)
    {
        var schema = SchemaDefinition.Create(typeof(Row));
        schema[nameof(Row.Image)].ColumnType = new VectorDataViewType(NumberDataViewType.Byte, ImageSet.Size);
        return ml.Data.LoadFromEnumerable(images.Select(i => new Row { Image = set.Image(i) }), schema);
    }

    public static IEstimator<ITransformer> Pixels(MLContext ml) => ml.Transforms.Conversion.ConvertType("Features", "Image", DataKind.Single);

    public static IEstimator<ITransformer> PrincipalComponents(MLContext ml, int rank, int seed) =>
        Pixels(ml).Append(ml.Transforms.ProjectToPrincipalComponents("Features", rank: rank, seed: seed));

    /// <summary>
    /// The two normalisations that did best on the validation part, one for pixels and their components, one for encoders
    /// (docs/few-labels.md): every input gets both, and the validation part chooses.
    /// </summary>
    public static IEnumerable<Candidate> Normalised(MLContext ml, ITransformer encoder, IDataView images, string setting = "")
    {
        IDataView features = encoder.Transform(ml.Data.TakeRows(images, 10_000)); // enough for a mean and a deviation
        yield return new(encoder.Append(ml.Transforms.NormalizeLpNorm("Features").Fit(features)), $"{setting}rows of length 1, ");
        yield return new(encoder.Append(ml.Transforms.NormalizeMeanVariance("Features", fixZero: false).Fit(features)), $"{setting}standardised, ");
    }

    public static Features Compute(MLContext ml, ITransformer encoder, ImageSet set, int[] images) =>
        new(images.Zip(encoder.Transform(View(ml, set, images)).GetColumn<float[]>("Features")).ToDictionary(p => p.First, p => p.Second), set.Labels);
}
