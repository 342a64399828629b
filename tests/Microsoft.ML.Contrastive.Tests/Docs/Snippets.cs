namespace Microsoft.ML.Contrastive.Tests.Docs;

/// <summary>The C# of the README and the pages, compiled. <see cref="DocsTests"/> holds both to the same lines.</summary>
internal static class Snippets
{
    public static void Readme(Func<IDataView> load)
    {
        var ml = new MLContext(seed: 1);
        IDataView unlabelled = load(), labelled = load();

        var encoder = ml.Transforms.ContrastivePretrain("Features", "Image",
                method: new SimClrV1(),
                encoder: ImageEncoder.ResNet18(Stem.Small),
                training: new TrainingOptions { Epochs = 20, BatchSize = 256 })
            .Fit(unlabelled);

        var head = ml.Transforms.Conversion.MapValueToKey("Label").AppendCacheCheckpoint(ml)
            .Append(ml.MulticlassClassification.Trainers.SdcaMaximumEntropy())
            .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));

        var model = encoder.Append(head.Fit(encoder.Transform(labelled)));
        ml.Model.Save(model, labelled.Schema, "model.zip");
    }

    public static void Methods(MLContext ml, IDataView unlabelled)
    {
        var encoder = ml.Transforms.ContrastivePretrain("Features", "Image", new SimClrV1()).Fit(unlabelled);
        encoder.Dispose();
    }

    public static SequenceEncoder Sequences(MLContext ml, IDataView unlabelled)
    {
        var encoder = ml.Transforms.ContrastivePretrain("Features", "Window", new Cpc(),
                sequence: new SequenceShape(Length: 128, Size: 6))
            .Fit(unlabelled);
        encoder.Dispose();
        var network = new SequenceEncoder { Width = 16, Halvings = 2, ContextSize = 128 };
        return network;
    }

    public static TrainingOptions LargeData()
    {
        var training = new TrainingOptions { MemoryBudget = 1L << 30, ScratchFolder = "scratch" };
        return training;
    }

    public static TrainingOptions Kept()
    {
        var kept = new TrainingOptions { Epochs = 200, CheckpointFolder = "run-1" };
        return kept;
    }

    public static ContrastiveMethod Pictures()
    {
        var gentle = ImageAugmentations.MoCoV2 with { Crop = new(0.5, 1), FlipProbability = 0 };
        var method = new MoCoV2 { Augmentations = [gentle, gentle] };
        return method;
    }

    public static void Evaluation(MLContext ml, IDataView trainRows, IDataView testRows, ContrastivePretrainTransformer encoder)
    {
        IDataView train = encoder.Transform(trainRows), test = encoder.Transform(testRows);

        KnnMetrics knn = ml.Representation().EvaluateKnn(train, test, "Features", "Label", k: 200, temperature: 0.1);
        LinearProbeMetrics probe = ml.Representation().EvaluateLinearProbe(train, test, "Features", "Label");
        GeometryMetrics geometry = ml.Representation().EvaluateGeometry(test, "Features");

        Console.WriteLine($"{knn.Accuracy:P1} {probe.Accuracy:P1} {geometry.EffectiveRank:f1} of {geometry.FeatureSize}");
    }

    public static SwAV SmallViews()
    {
        var global = ImageAugmentations.SwavGlobal with { Blur = null };
        var small = ImageAugmentations.SwavLocal with { Size = 16, Blur = null };
        var method = new SwAV { Augmentations = [global, global, small, small, small, small] };
        return method;
    }
}
