using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>What fine-tuning and distillation share: rows with pictures and labels in, a fitted classifier out.</summary>
/// <param name="Host">Of the estimator.</param>
/// <param name="Device">Where it trains.</param>
/// <param name="Seed">The context's, or null.</param>
internal sealed record ClassifierFit(IHost Host, Device Device, int? Seed)
{
    /// <summary>Least steps of a run whose length was not set: few pictures make short epochs.</summary>
    public const int LeastSteps = 400;

    /// <summary>What is to be said of the choice of the device, or null.</summary>
    public required string? Warning { get; init; }

    /// <summary>How the pictures come, the encoder's shape, and the names of the columns of pictures and scores.</summary>
    public required EncoderManifest Manifest { get; init; }

    /// <summary>What the encoder's weights start as; null for random ones.</summary>
    public required PretrainedEncoder? StartsFrom { get; init; }

    public required string? LabelColumnName { get; init; }

    public required string PredictedLabelColumnName { get; init; }

    public required TrainingOptions Training { get; init; }

    /// <summary>The teacher's transformer, or null where labels alone teach.</summary>
    public ImageClassifierTransformer? Teacher { get; init; }

    /// <summary>Makes the recipe once the rows are read.</summary>
    public required Func<ClassifierData, ClassifierTraining> CreateRecipe { get; init; }

    /// <summary>Reads, trains, and gives the classifier.</summary>
    public ImageClassifierTransformer Run(IDataView input, IDataView? validation)
    {
        ArgumentNullException.ThrowIfNull(input);
        using IChannel channel = Host.Start("Fit");
        if (Warning is not null)
            channel.Warning(Warning);
        using CheckpointFolder? checkpoints = Training.CheckpointFolder is { } folder ? new CheckpointFolder(folder, Training.CheckpointsKept) : null;
        Checkpoint? checkpoint = checkpoints?.Newest(message => channel.Warning(message));
        int seed = Seed ?? checkpoint?.Seed ?? Random.Shared.Next();
        var rows = new ColumnReading(Host, channel, Training);
        PictureInput pictures = Manifest.Pictures();
        KeyLabelColumn? labelColumn = LabelColumnName is null ? null : new KeyLabelColumn(input.Schema, LabelColumnName, isNeeded: Teacher is null);
        ClassLabels classes = ClassesOf(labelColumn);
        int largestSide = PictureExamples.LargestSide((pictures.Height, pictures.Width));

        using HeldOutPictures? heldOut = validation is null ? null : ReadHeldOut(rows, validation, classes, largestSide);
        using var store = new ImageStore(pictures.Channels, Training.MemoryBudget, Training.ScratchFolder);
        long[] labels = rows.ReadPictures(input, Column(input.Schema), Manifest.InputColumn, store, largestSide, labelColumn?.Rows);
        if (labelColumn is null)
            labels = [.. Enumerable.Repeat(LabelCrossEntropy.NoLabel, store.Count)];
        if (store.Count < 2)
            throw new ArgumentException($"One {(labelColumn is null ? "picture" : "labelled picture")} is too few to train on: a batch needs two.", nameof(input));
        if (labelColumn is { Rows.IsNeeded: true } && labels.Distinct().Count() is var present && present < classes.Count)
            channel.Warning($"Column '{LabelColumnName}' has {classes.Count} classes, of which {present} have a row: the others will not be learned.");

        int batch = Math.Min(Training.BatchSize, store.Count);
        TrainingOptions training = Training with { BatchSize = batch };
        long stepsPerEpoch = store.Count / batch;
        long steps = training.Steps
            ?? (training.Epochs is { } epochs ? epochs * stepsPerEpoch : Math.Max(TrainingOptions.DefaultEpochs * stepsPerEpoch, LeastSteps));
        var examples = new PictureExamples(store) { Input = pictures };
        RunFacts facts = examples.Facts(batch, steps);
        ContrastiveMethod recipe = CreateRecipe(new ClassifierData(labels, classes.Count, Fingerprint(labels, heldOut), heldOut is null ? null : heldOut.Accuracy)).ResolveFully(facts);
        JsonObject record = PretrainingRun.Record(recipe, facts, seed);
        channel.Info($"Seed {seed}, device {Device}, {record.ToJsonString()}");

        PictureClassifier result = Manifest.CreateClassifier(classes.Count, seed);
        try
        {
            if (StartsFrom is not null)
                ModuleState.Copy(StartsFrom.Module, result.Encoder);
            new PretrainingRun(examples, Manifest, recipe, facts, seed, Device, training).Train(
                result, startsFromEarlier: StartsFrom is not null, checkpoints, checkpoint, Host, channel);
            result.to(Device).eval();
            record["startsFrom"] = StartsFrom?.Manifest.Training?.DeepClone();
            record["teacher"] = Teacher?.Weights.Manifest.Training?.DeepClone();
            if (heldOut is not null)
            {
                double accuracy = heldOut.Accuracy(result);
                record["validationAccuracy"] = accuracy;
                channel.Info($"The epoch that did best on the validation rows was kept: {accuracy:P2} of them are right.");
            }
            return new ImageClassifierTransformer(Host, new PretrainedEncoder(Manifest with { Training = record }, result, Device), classes);
        }
        catch
        {
            result.Dispose();
            throw;
        }
    }

    /// <summary>Those of the labels; where there is a teacher its own, which the labels must agree with.</summary>
    private ClassLabels ClassesOf(KeyLabelColumn? column)
    {
        ClassLabels? own = column?.Classes(PredictedLabelColumnName);
        if (Teacher is null)
            return own!;
        if (own is not null && !own.SameClasses(Teacher.Classes))
            throw new ArgumentException($"Column '{LabelColumnName}' has other classes, or the same in another order, than the teacher: map it with the keys that the teacher was trained with (MapValueToKey with keyData, or the same fitted mapping).", nameof(LabelColumnName));
        return Teacher.Classes with { LabelColumn = LabelColumnName ?? Teacher.Classes.LabelColumn, PredictedLabelColumn = PredictedLabelColumnName };
    }

    private HeldOutPictures ReadHeldOut(ColumnReading rows, IDataView validation, ClassLabels classes, int largestSide)
    {
        string name = LabelColumnName ?? classes.LabelColumn
            ?? throw new ArgumentException("Validation needs labels: say which column has them (LabelColumnName).", nameof(validation));
        var column = new KeyLabelColumn(validation.Schema, name, isNeeded: true);
        if (!column.Classes(PredictedLabelColumnName).SameClasses(classes))
            throw new ArgumentException($"Column '{name}' of the validation rows has other classes, or the same in another order: map both with one fitted MapValueToKey.", nameof(validation));
        var store = new ImageStore(Manifest.Pictures().Channels, Training.MemoryBudget, Training.ScratchFolder);
        try
        {
            long[] labels = rows.ReadPictures(validation, Column(validation.Schema), Manifest.InputColumn, store, largestSide, column.Rows);
            return new HeldOutPictures(store, labels, Manifest, Device);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    private ImageColumn Column(DataViewSchema schema) => new PictureInputColumn(Manifest.Pictures(), Manifest.InputColumn, schema).Pictures;

    private string Fingerprint(long[] labels, HeldOutPictures? heldOut) => Checkpoint.Digest(stream =>
    {
        stream.Write(MemoryMarshal.AsBytes(labels.AsSpan()));
        if (Teacher is not null)
            SafeTensors.Save(stream, Teacher.Weights.Module);
        stream.Write(Encoding.ASCII.GetBytes(heldOut?.Fingerprint() ?? "none"));
    });
}
