using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Microsoft.ML.Contrastive.Tests.Methods;

/// <summary>What holds for every method, so that each of them is held to it.</summary>
public sealed class AllMethodsTests
{
    [Theory]
    [MemberData(nameof(AllMethods.Data), MemberType = typeof(AllMethods))]
    public void It_trains_through_the_estimator_and_its_zip_gives_the_same_features_anywhere(ContrastiveMethod method)
    {
        var ml = new MLContext(21);
        IDataView data = ml.ViewFor(method, 64);
        using ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(
            "Features", "Image", method, ImageEncoder.SmallConvNet(4), new TrainingOptions { Steps = 4, BatchSize = 32 }, Pictures.ShapeFor(method)).Fit(data);
        float[][] features = encoder.Transform(data).Features();
        Assert.All(features, row => Assert.All(row, number => Assert.True(float.IsFinite(number))));

        using var stream = new MemoryStream();
        ml.Model.Save(encoder, data.Schema, stream);
        stream.Position = 0;
        ITransformer loaded = new MLContext().Model.Load(stream, out _);
        Assert.Equal(features, loaded.Transform(data).Features());

        // What Fit decided stands in the record: nothing was left null. Settings that came later are written where they are not the default, so that older checkpoints go on.
        JsonNode record = JsonNode.Parse(encoder.TrainingRecord)!;
        Assert.Equal(method.GetType().Name, (string)record["method"]!);
        JsonObject settings = record["settings"]!.AsObject();
        Assert.All(
            method.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance)
                .Where(property => property.Name is not (nameof(ContrastiveMethod.MaxGradientNorm) or nameof(ContrastiveMethod.MaxParameterGradientNorm))
                    && property.GetCustomAttribute<JsonIgnoreAttribute>()?.Condition != JsonIgnoreCondition.WhenWritingDefault),
            property => Assert.Contains(settings, setting => string.Equals(setting.Key, property.Name, StringComparison.OrdinalIgnoreCase)));
    }

    [Theory]
    [MemberData(nameof(AllMethods.Data), MemberType = typeof(AllMethods))]
    [MemberData(nameof(AllMethods.OfTexts), MemberType = typeof(AllMethods))]
    [MemberData(nameof(AllMethods.OfPairs), MemberType = typeof(AllMethods))]
    public void Its_published_settings_are_there_and_valid(ContrastiveMethod method)
    {
        PropertyInfo paper = Assert.Single(method.GetType().GetProperties(BindingFlags.Public | BindingFlags.Static), property => property.Name == "Paper");
        var published = Assert.IsAssignableFrom<ContrastiveMethod>(paper.GetValue(null));
        RunFacts facts = method is TextMethod
            ? new RunFacts(1_000_000, 64, 15_625, 0, 0, 0, 768) { TextsPerExample = 1, StartsPretrained = true } : new RunFacts(1_281_167, 256, 1_000_000, 224, 224, 3, 2048);
        Assert.Equal(published.Optimizer, published.ResolveFully(facts).Optimizer);
        Assert.Equal(published.LearningRate, published.ResolveFully(facts).LearningRate);
        Assert.NotNull(published.Optimizer);
        Assert.NotNull(published.LearningRate);
    }

    [Theory]
    [MemberData(nameof(AllMethods.Data), MemberType = typeof(AllMethods))]
    [MemberData(nameof(AllMethods.OfTexts), MemberType = typeof(AllMethods))]
    [MemberData(nameof(AllMethods.OfPairs), MemberType = typeof(AllMethods))]
    public void It_has_its_row_and_section_in_the_page_of_methods(ContrastiveMethod method)
    {
        string name = method.GetType().Name;
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "methods.md"));
        Assert.Matches($@"(?m)^\| \[(?<title>[^\]]+)\]\(#[a-z0-9-]+\) `{name}` \|[\s\S]*^## \k<title>$", page);
    }
}
