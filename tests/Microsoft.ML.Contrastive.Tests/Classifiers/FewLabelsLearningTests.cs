namespace Microsoft.ML.Contrastive.Tests.Classifiers;

/// <summary>SimCLR v2's whole way on pictures made here: many without labels, two a class with.</summary>
[Trait("speed", "slow")]
public sealed class FewLabelsLearningTests
{
    [Fact]
    public void Pretraining_beats_the_labels_alone_and_a_smaller_student_keeps_most_of_it()
    {
        const int Kinds = 12, Noise = 160;
        var ml = new MLContext(1);
        IDataView unlabelled = ml.View(Pictures.Make(2048, 1, classes: Kinds, noise: Noise));
        var keys = ml.Transforms.Conversion.MapValueToKey("Label").Fit(unlabelled);
        IDataView labelled = keys.Transform(ml.View(Pictures.Make(2 * Kinds, 3, classes: Kinds, noise: Noise)));
        IDataView test = keys.Transform(ml.View(Pictures.Make(600, 2, classes: Kinds, noise: Noise)));
        ContrastivePretrainEstimator estimator = ml.Transforms.ContrastivePretrain(
            "Features", "Image", new SimClrV2(), ImageEncoder.SmallConvNet(16), new TrainingOptions { Steps = 300, BatchSize = 64 }, Pictures.Shape());
        using ContrastivePretrainTransformer pretrained = estimator.Fit(unlabelled), untrained = estimator.Untrained(unlabelled);

        var trainers = ml.MulticlassClassification.Trainers;
        using ImageClassifierTransformer teacher = trainers.FineTune(pretrained).Fit(labelled), alone = trainers.FineTune(untrained).Fit(labelled);
        using ImageClassifierTransformer frozen = trainers.FineTune(pretrained, trains: TrainedLayers.Head).Fit(labelled);
        using ImageClassifierTransformer student = trainers.Distil(new DistilEstimator.Options
        {
            Teacher = teacher,
            Student = ImageEncoder.SmallConvNet(8),
            LearningRate = new(5e-3, Scaling: RateScaling.None),
            Training = new TrainingOptions { Steps = 1000, BatchSize = 64 },
        }).Fit(unlabelled);
        double ofTeacher = Accuracy(teacher), ofAlone = Accuracy(alone), ofFrozen = Accuracy(frozen), ofStudent = Accuracy(student);
        string all = $"fine-tuned {ofTeacher:0.000}, frozen {ofFrozen:0.000}, labels alone {ofAlone:0.000}, student {ofStudent:0.000}";
        TestContext.Current.TestOutputHelper?.WriteLine(all);
        Assert.True(ofTeacher > ofAlone + 0.05, all);
        Assert.True(ofFrozen > ofAlone, all);
        Assert.True(ofStudent - ofAlone > (ofTeacher - ofAlone) / 2, all);

        double Accuracy(ImageClassifierTransformer classifier) => FineTuneTests.Accuracy(ml, classifier, test);
    }
}
