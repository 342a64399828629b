using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests.Classifiers;

public sealed class DistilTests
{
    private static readonly TrainingOptions FewSteps = new() { Steps = 4, BatchSize = 16 };

    [Fact]
    public void A_smaller_student_of_another_kind_says_what_its_teacher_says()
    {
        var ml = new MLContext(1);
        IDataView labelled = FineTuneTests.Labelled(ml, 160), unlabelled = ml.View(Pictures.Make(320, seed: 3)), test = FineTuneTests.Labelled(ml, 100, seed: 2);
        using ContrastivePretrainTransformer encoder = FineTuneTests.Untrained(ml, labelled, ImageEncoder.SmallConvNet(8));
        using ImageClassifierTransformer teacher = ml.MulticlassClassification.Trainers.FineTune(encoder, training: FewSteps with { Steps = 200 }).Fit(labelled);
        DistilEstimator estimator = ml.MulticlassClassification.Trainers.Distil(
            teacher, new VisionTransformer { Patch = 4, Width = 32, Depth = 2, Heads = 2 }, FewSteps with { Steps = 500, BatchSize = 64 });
        using ImageClassifierTransformer student = estimator.Fit(unlabelled);
        Assert.Equal(
            SchemaShape.Create(student.GetOutputSchema(unlabelled.Schema)).Select(column => $"{column.Name} {column.GetTypeString()}").Order(),
            estimator.GetOutputSchema(SchemaShape.Create(unlabelled.Schema)).Select(column => $"{column.Name} {column.GetTypeString()}").Order());
        double agreement = teacher.Transform(test).GetColumn<uint>("PredictedLabel").Zip(student.Transform(test).GetColumn<uint>("PredictedLabel"), (a, b) => a == b ? 1.0 : 0).Average();
        Assert.True(agreement > 0.75, $"{agreement}");
        Assert.IsType<VisionTransformer>(student.Encoder);
    }

    [Fact]
    public void The_students_zip_gives_the_same_answers_elsewhere_with_the_teachers_classes()
    {
        var ml = new MLContext(2);
        IDataView data = FineTuneTests.Labelled(ml, 48, 3);
        using ContrastivePretrainTransformer encoder = FineTuneTests.Untrained(ml, data, ImageEncoder.SmallConvNet(4), 3);
        using ImageClassifierTransformer teacher = ml.MulticlassClassification.Trainers.FineTune(encoder, training: FewSteps).Fit(data);
        // A student that takes other pixels than its teacher: each view is turned back for the teacher.
        using ImageClassifierTransformer student = ml.MulticlassClassification.Trainers.Distil(new DistilEstimator.Options
        {
            Teacher = teacher,
            Student = ImageEncoder.LuminanceAndColor(ImageEncoder.SmallConvNet(2), ImageEncoder.SmallConvNet(2)),
            LabelColumnName = "Label", Weight = 0.5, Temperature = 0.5, Training = FewSteps,
        }).Fit(data, data);
        using var stream = new MemoryStream();
        ml.Model.Save(student, data.Schema, stream);
        stream.Position = 0;
        using var loaded = (ImageClassifierTransformer)new MLContext().Model.Load(stream, out _);
        Assert.Equal(student.Transform(data).Features("Score"), loaded.Transform(data).Features("Score"));
        Assert.Equal(teacher.Classes.Values, loaded.Classes.Values);
        Assert.Contains("\"teacher\"", loaded.TrainingRecord, StringComparison.Ordinal);
        Assert.Contains("\"validationAccuracy\"", loaded.TrainingRecord, StringComparison.Ordinal);
    }

    [Fact]
    public void A_student_may_start_from_a_pretrained_encoder()
    {
        var ml = new MLContext(3);
        IDataView data = FineTuneTests.Labelled(ml, 64);
        using ContrastivePretrainTransformer encoder = FineTuneTests.Untrained(ml, data, ImageEncoder.SmallConvNet(4));
        using ContrastivePretrainTransformer start = FineTuneTests.Untrained(ml, data, new EncoderWithHead(ImageEncoder.SmallConvNet(2), 12));
        using ImageClassifierTransformer teacher = ml.MulticlassClassification.Trainers.FineTune(encoder, training: FewSteps).Fit(data);
        using ImageClassifierTransformer student = ml.MulticlassClassification.Trainers.Distil(new DistilEstimator.Options
        {
            Teacher = teacher, StartsFrom = start, LearningRate = new(1e-12), Training = FewSteps, // a rate of nearly zero shows where it starts
        }).Fit(data);
        Assert.Equal(FeatureLayer.Middle, Assert.IsType<EncoderWithHead>(student.Encoder).FeaturesFrom);
        var state = student.Weights.Module.state_dict();
        foreach (string name in new[] { "backbone.0.weight", "head.0.weight" })
            TensorAssert.Equal(start.Weights.Module.state_dict()[name], state[$"encoder.{name}"], 1e-6);
    }

    [Fact]
    public void Bad_input_is_refused_by_name_before_training()
    {
        var ml = new MLContext(4);
        IDataView data = FineTuneTests.Labelled(ml, 40);
        using ContrastivePretrainTransformer encoder = FineTuneTests.Untrained(ml, data, ImageEncoder.SmallConvNet(4));
        using ImageClassifierTransformer teacher = ml.MulticlassClassification.Trainers.FineTune(encoder, training: FewSteps).Fit(data);
        var trainers = ml.MulticlassClassification.Trainers;
        var options = new DistilEstimator.Options { Teacher = teacher };
        FineTuneTests.Refused<ArgumentException>("LabelColumnName", () => trainers.Distil(options with { Weight = 0.5 }));
        FineTuneTests.Refused<ArgumentOutOfRangeException>("from 0 to 1", () => trainers.Distil(options with { Weight = 2 }));
        FineTuneTests.Refused<ArgumentOutOfRangeException>("above 0", () => trainers.Distil(options with { Temperature = 0 }));
        FineTuneTests.Refused<ArgumentException>("too small", () => trainers.Distil(teacher, ImageEncoder.ResNet18()));
        FineTuneTests.Refused<ArgumentException>("no colour", () => trainers.Distil(teacher, ImageEncoder.LuminanceAndColor(ImageEncoder.SmallConvNet(2), ImageEncoder.SmallConvNet(2))));
        FineTuneTests.Refused<ArgumentException>("leave one of them out", () => trainers.Distil(options with { StartsFrom = encoder, Student = ImageEncoder.SmallConvNet(2) }));
        FineTuneTests.Refused<ArgumentException>("other classes", () => trainers.Distil(options with { LabelColumnName = "Label" }).Fit(FineTuneTests.Labelled(ml, 40, classes: 3)));
        FineTuneTests.Refused<ArgumentException>("no column 'Class'", () => trainers.Distil(options with { LabelColumnName = "Class" }).Fit(data));
        teacher.Dispose();
        Assert.Throws<ObjectDisposedException>(() => trainers.Distil(teacher));
    }
}
