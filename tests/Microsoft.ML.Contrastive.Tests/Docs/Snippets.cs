using Microsoft.ML.Data;

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

    public static ContrastivePretrainEstimator Multiview(MLContext ml)
    {
        ContrastivePretrainEstimator estimator = ml.Transforms.ContrastivePretrain("Features", new[] { "Camera", "Depth" }, new Cmc(),
            encoder: ImageEncoder.Multiview(ImageEncoder.ResNet18(), ImageEncoder.SmallConvNet()));
        return estimator;
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

    public static void Clip(MLContext ml, IDataView captioned, IDataView pictures)
    {
        ImageTextTransformer model = ml.Model.LoadClip("clip-vit-base-patch32");

        ImageTextTransformer own = ml.Transforms.ContrastivePretrain(
                new InputOutputColumnPair[] { new("ImageVector", "Image"), new("TextVector", "Caption") }, new Clip(),
                training: new TrainingOptions { Epochs = 20, BatchSize = 256 })
            .Fit(captioned);
        own.Dispose();

        var classifier = ml.Transforms.ZeroShotClip("Image", ["cat", "dog", "aeroplane"], model, PromptTemplates.Photos, labelColumnName: "Label").Fit(pictures);
        IDataView scored = classifier.Transform(pictures);
        MulticlassClassificationMetrics metrics = ml.MulticlassClassification.Evaluate(scored);
        _ = metrics.MicroAccuracy;

        var other = classifier.WithLabels(["indoors", "outdoors"]);
        other.Dispose();
    }

    public static ImageClassifierTransformer FineTuneClip(MLContext ml, IDataView labelled)
    {
        using ImageTextTransformer model = ml.Model.LoadClip("clip-vit-base-patch32");
        var tuned = ml.MulticlassClassification.Trainers.FineTune(model.AsImageEncoder()).Fit(labelled);
        return tuned;
    }

    public static void OnePicture(MLContext ml, IDataView files)
    {
        var loader = ml.Transforms.LoadImages("Image", imageFolder: "pictures", inputColumnName: "Path").Fit(files);
        var encoder = ml.Transforms.ContrastivePretrain(new ContrastivePretrainEstimator.Options
        {
            OutputColumnName = "Features",
            InputColumnName = "Image",
            Method = new SimClrV1(),
            Encoder = ImageEncoder.SmallConvNet(),
            ImageSize = 64,
            MissingImages = MissingImages.Skip,
            Training = new TrainingOptions { Epochs = 20, BatchSize = 128, Progress = new Progress<TrainingProgress>(Console.WriteLine) },
        }).Fit(loader.Transform(files));
        ml.Model.Save(loader.Append(encoder), files.Schema, "encoder.zip");

        var engine = ml.Model.CreatePredictionEngine<PictureFile, PictureFeatures>(ml.Model.Load("encoder.zip", out _));
        float[] features = engine.Predict(new PictureFile { Path = "cat.png" }).Features;
        Console.WriteLine(features.Length);
    }

    public sealed class PictureFile { public string Path { get; set; } = ""; }
    public sealed class PictureFeatures { public float[] Features { get; set; } = []; }
    public sealed class PictureInMemory { [AnySizeImage] public MLImage? Image { get; set; } }

    public static IReadOnlyList<SearchHit> PicturesByWords(MLContext ml, ImageTextTransformer model, IDataView pictures, IDataView words)
    {
        IDataView candidates = model.Only("ImageVector").Transform(pictures), queries = model.Only("TextVector").Transform(words);
        var hits = ml.Representation().Search(candidates, queries, "ImageVector", k: 5, queryColumnName: "TextVector")[0];
        return hits;
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

    public static void FineTune(MLContext ml, IDataView unlabelled, IDataView labelled, IDataView test)
    {
        var training = new TrainingOptions { Epochs = 50 };
        var encoder = ml.Transforms.ContrastivePretrain("Features", "Image", new SimClrV2(), ImageEncoder.ResNet50(), training).Fit(unlabelled);

        var toKey = ml.Transforms.Conversion.MapValueToKey("Label").Fit(labelled);
        var toText = ml.Transforms.Conversion.MapKeyToValue("PredictedLabel");
        var teacher = ml.MulticlassClassification.Trainers.FineTune(encoder).Fit(toKey.Transform(labelled));
        var student = ml.MulticlassClassification.Trainers.Distil(teacher, ImageEncoder.ResNet18()).Fit(unlabelled);

        var metrics = ml.MulticlassClassification.Evaluate(student.Transform(toKey.Transform(test)));
        var model = student.Append(toText.Fit(student.Transform(unlabelled)));
        ml.Model.Save(model, unlabelled.Schema, "classifier.zip");
        ITransformer loaded = ml.Model.Load("classifier.zip", out DataViewSchema schema); // in any other program
        Console.WriteLine($"{metrics.MicroAccuracy:P1}, {loaded}, {schema}");
    }

    public static FineTuneEstimator FineTuneOptions(MLContext ml, ContrastivePretrainTransformer encoder)
    {
        var careful = ml.MulticlassClassification.Trainers.FineTune(new FineTuneEstimator.Options
        {
            Encoder = encoder,
            Trains = TrainedLayers.LastStages,
            Stages = 2,
            LabelSmoothing = 0.1,
            Training = new TrainingOptions { Epochs = 60, BatchSize = 64, CheckpointFolder = "fine-tune" },
        });
        return careful;
    }

    public static SwAV SmallViews()
    {
        var global = ImageAugmentations.SwavGlobal with { Blur = null };
        var small = ImageAugmentations.SwavLocal with { Size = 16, Blur = null };
        var method = new SwAV { Augmentations = [global, global, small, small, small, small] };
        return method;
    }

    public static void Import(MLContext ml, IDataView pictures, ContrastivePretrainEstimator estimator)
    {
        ImportedEncoder imported = ml.Model.ImportEncoder(new EncoderImportOptions
        {
            Path = "resnet50.safetensors",
            Encoder = ImageEncoder.ResNet50(),
            OutputColumnName = "Features",
            InputColumnName = "Image",
        });
        Console.WriteLine(imported); // the table

        IDataView features = imported.Transformer.Transform(pictures);
        using var further = estimator.Fit(features, imported.Transformer);
    }

    public static TrainingOptions Watched(IDataView heldIn, IDataView heldOut)
    {
        var watched = new TrainingOptions
        {
            Epochs = 200,
            Monitor = new KnnMonitor { Bank = heldIn, Queries = heldOut, K = 20, KeepBest = true },
        };
        return watched;
    }

    public static void Sentences(MLContext ml, IDataView data, IDataView pairs)
    {
        var published = ml.Transforms.SentenceEmbedding("Vector", "Text", TextEncoder.FromFolder("all-MiniLM-L6-v2")).Fit(data);

        var further = ml.Transforms.SentenceEmbedding(
            "Vector", "Question", TextEncoder.FromFolder("all-MiniLM-L6-v2"), new SimCse(), new TrainingOptions { Epochs = 1, BatchSize = 64 }, positiveColumnName: "Answer").Fit(pairs);

        var own = ml.Transforms.SentenceEmbedding(
            "Vector", "Text", TextEncoder.Small(), new SimCse(), new TrainingOptions { Epochs = 3, BatchSize = 128 }).Fit(data);

        var words = ml.Transforms.SentenceEmbedding("Vector", "Text", TextEncoder.WordVectors("glove.txt") with { RarityWeight = 1e-3 }).Fit(data);
        published.Dispose();
        further.Dispose();
        words.Dispose();

        foreach (SearchHit hit in ml.Representation().Search(own.Transform(data), own.Transform(pairs), "Vector", k: 5)[0])
            Console.WriteLine($"{hit.Cosine:f3}  row {hit.Row}");
        var doubles = ml.Representation().FindNearDuplicates(own.Transform(data), "Vector", cosine: 0.95);
        var groups = ml.Representation().FindGroups(own.Transform(data), "Vector", cosine: 0.8);
        own.Dispose();
        Console.WriteLine($"{doubles.Count} pairs, {groups.Count} groups");
    }
}
