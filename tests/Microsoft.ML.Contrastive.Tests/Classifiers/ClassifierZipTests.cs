using System.IO.Compression;
using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;

namespace Microsoft.ML.Contrastive.Tests.Classifiers;

/// <summary>A classifier's own entry in the zip; the others are an encoder's, which <see cref="ModelZipTests"/> holds to account.</summary>
public sealed class ClassifierZipTests
{
    private const string Classes = "classes.json";

    [Theory]
    [InlineData("count", "0", "'count'")]
    [InlineData("count", "1000000000", "'count'")]
    [InlineData("count", "5", "'values'")]
    [InlineData("values", "null", "'values'")]
    [InlineData("values", """["a", "b", "c", null]""", "'values'")]
    [InlineData("kind", "null", "'values'")]
    [InlineData("kind", "\"single\"", "damaged or edited")] // class 0 is no number
    [InlineData("kind", "\"System.IO.File\"", "damaged or edited")]
    [InlineData("predictedLabelColumn", "\"\"", "no name")]
    [InlineData("predictedLabelColumn", "null", "damaged or edited")]
    [InlineData("unknown", "1", "unknown")]
    public void Edited_classes_are_refused_with_what_is_wrong(string field, string value, string message)
    {
        byte[] zip = Saved();
        JsonObject classes = JsonNode.Parse(Encoding.UTF8.GetString(ZipEntries.Read(zip, Classes)))!.AsObject();
        classes[field] = JsonNode.Parse(value);
        AssertRefused(message, ZipEntries.Replace(zip, Classes, Encoding.UTF8.GetBytes(classes.ToJsonString())));
    }

    [Fact]
    public void Classes_that_are_missing_too_long_or_too_many_for_the_weights_are_refused()
    {
        byte[] zip = Saved();
        AssertRefused($"no entry {Classes}", ZipEntries.Replace(zip, Classes, null));
        AssertRefused("more than", ZipEntries.Replace(zip, Classes, [.. ZipEntries.Read(zip, Classes), .. Enumerable.Repeat((byte)' ', 2_000_000)]));
        AssertRefused("damaged or edited", ZipEntries.Replace(zip, Classes, "{"u8.ToArray()));
        AssertRefused("doesn't fit the model", ZipEntries.Replace(zip, Classes, """{ "predictedLabelColumn": "PredictedLabel", "count": 65536 }"""u8.ToArray()));
        AssertRefused("doesn't fit the model", ZipEntries.Replace(zip, Classes, """{ "predictedLabelColumn": "PredictedLabel", "count": 3 }"""u8.ToArray()));
    }

    private static void AssertRefused(string message, byte[] zip)
    {
        using var stream = new MemoryStream(zip);
        Exception error = Assert.Throws<TargetInvocationException>(() => new MLContext().Model.Load(stream, out _)).InnerException!;
        Assert.Contains(message, Assert.IsType<InvalidDataException>(error).Message, StringComparison.Ordinal);
    }

    private static byte[] Saved()
    {
        var ml = new MLContext(1);
        IDataView data = FineTuneTests.Labelled(ml, 20);
        using ContrastivePretrainTransformer encoder = FineTuneTests.Untrained(ml, FineTuneTests.Labelled(ml, 40), ImageEncoder.SmallConvNet(4));
        using ImageClassifierTransformer classifier = ml.MulticlassClassification.Trainers.FineTune(encoder, training: new TrainingOptions { Steps = 1 }).Fit(data);
        using var stream = new MemoryStream();
        ml.Model.Save(classifier, data.Schema, stream);
        return stream.ToArray();
    }
}
