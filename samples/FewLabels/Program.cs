using System.Globalization;
using FewLabels;
using Microsoft.ML;
using Microsoft.ML.Contrastive;

// Many pictures, few labels. An encoder learns from Fashion-MNIST's 60,000 training images without their labels; then
// an ordinary ML.NET classifier learns from 100 or 1,000 labelled ones, on the encoder's features and on its rivals.
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
try
{
    var options = Options.Parse(args);
    if (options.Help)
    {
        Console.WriteLine(Options.Usage);
        return 0;
    }

    var data = FashionMnist.Open(options.Data, Console.Error.WriteLine);
    return options.Predict is { } model ? Elsewhere.Print(model, data, options.Images) : Demo(options, data);
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("Stopped. With --checkpoints FOLDER the same command goes on where it stopped.");
    return 130;
}
catch (Exception e) when (e is DataException or OptionException or IOException)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}

static int Demo(Options options, FashionMnist data)
{
    // Clothes stand in the middle of their pictures: the encoder keeps a 2 x 2 grid of means, and crops stay large.
    var view = new ImageAugmentation { Crop = new(0.3, 1), Jitter = new(0.8, 0.8, 0, 0) };
    var recipe = options.Quick ? Recipe.Quick : new Recipe
    {
        UnlabelledImages = 60_000,
        Method = new SimClrV1 { Augmentations = [view, view], HiddenSize = 256 },
        Encoder = ImageEncoder.SmallConvNet(width: 32, grid: 2),
        PretrainingEpochs = 10,
        LabelCounts = [100, 1_000],
        Draws = 10,
        ValidationImages = 2_000,
        TestImages = 10_000,
        L2 = [1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 3e-2f, 1e-1f, 3e-1f],
        Ranks = [60, 200],
        LabelsAloneSteps = new() { [100] = [160, 320], [1_000] = [800] },
        LabelsAloneRate = 0.003,
        LabelsAloneTrialDraws = 2,
    };
    recipe = recipe with { PretrainingEpochs = options.Epochs ?? recipe.PretrainingEpochs, PretrainingSteps = options.Steps ?? recipe.PretrainingSteps };

    var ml = new MLContext(recipe.Seed);
    var show = new Show();
    show.Line($"Fashion-MNIST from {data.Folder}");
    var training = data.ReadTraining();
    var draws = Draws.Take(training.Labels, recipe.ValidationImages, recipe.Draws, recipe.LabelCounts.Max(), recipe.Seed);
    show.Line(recipe.Description);

    // 1. Ways to see an image. Only the last one learned by contrast; none of them saw a label.
    var unlabelled = Inputs.View(ml, training, Enumerable.Range(0, recipe.UnlabelledImages));
    Candidate[] Candidates(ITransformer encoder, string setting = "") => [.. Inputs.Normalised(ml, encoder, unlabelled, setting)];
    var pixels = Candidates(Inputs.Pixels(ml).Fit(unlabelled));
    var components = show.Part("Principal components", _ =>
        recipe.Ranks.SelectMany(rank => Candidates(Inputs.PrincipalComponents(ml, rank, recipe.Seed).Fit(unlabelled), $"{rank} components, ")).ToArray());
    var pretraining = new Pretraining(ml, recipe, options.Checkpoints);
    var untrained = Candidates(pretraining.Untrained(unlabelled));
    var pretrained = Candidates(show.Part("Pretraining without labels", progress => pretraining.Fit(unlabelled, progress)));

    // 2. Whatever has to be chosen is chosen on the validation part.
    var comparison = new Comparison(ml, recipe, training, draws);
    var finalists = new List<Finalist>();
    foreach (var input in new Input[] { new("raw pixels", pixels), new("principal components", components), new("untrained encoder", untrained), new(Results.Ours, pretrained) })
    {
        finalists.AddRange(show.Part($"SDCA on {input.Name}", progress => comparison.Finalists(input, progress)));
    }

    foreach (int labels in recipe.LabelCounts)
    {
        finalists.Add(show.Part($"The encoder from {labels} labels alone", progress => comparison.LabelsAlone(pretraining.CreateEncoder, labels, progress)));
    }

    // 3. The test images are read here, once.
    var test = data.ReadTest();
    int[] testImages = [.. Enumerable.Range(0, recipe.TestImages)];
    var results = show.Part("Test", progress => new Results([.. finalists.Select((finalist, i) =>
    {
        progress((double)i / finalists.Count, finalist.Input);
        return new Result(finalist, finalist.Test(test, testImages));
    })]));
    show.Table(Results.Head, results.Rows);
    show.Line(Results.Explanation);

    // 4. The whole pipeline, from pixels to class name, in one zip that another process loads.
    Directory.CreateDirectory(options.Out);
    string zip = Path.Combine(options.Out, "few-labels.zip");
    var pipeline = finalists.Last(f => f.Input == Results.Ours).Pipeline!();
    ml.Model.Save(pipeline, unlabelled.Schema, zip);
    string[] here = Elsewhere.Predict(ml, pipeline, test, options.Images);
    int same = show.Part("The saved pipeline in a second process", _ => Elsewhere.Agreement(zip, data, here));
    show.Line($"{zip}: a second process predicts the same for {same} of {here.Length} test images, for example");
    foreach (string[] line in here.Take(5).Select(l => l.Split('\t')))
    {
        show.Line($"  image {line[0]}: {line[1]} (truly {FashionMnist.ClassNames[test.Labels[int.Parse(line[0])]]})");
    }

    // 5. The report.
    string report = Path.Combine(options.Out, "report.html");
    int[] pool = [.. draws.All.SelectMany(d => d)], shown = [.. Enumerable.Range(0, 10).Select(c => Array.IndexOf(test.Labels, (byte)c))];
    int[][] Neighbours(Candidate by) => Report.Nearest(Inputs.Compute(ml, by.Encoder, test, shown), Inputs.Compute(ml, by.Encoder, training, pool), shown, count: 6);
    Report.Write(report, recipe.Description, pretraining.Losses, results, test, training, shown, Neighbours(pretrained[0]), Neighbours(pixels[0]));
    show.Line($"{report}: the table, the loss curve, and which images the encoder finds alike");
    show.Line($"Time: {string.Join(", ", show.Parts.Select(p => $"{p.Title} {p.Time.TotalSeconds:f0} s"))}; all {show.Elapsed.TotalSeconds:f0} s");
    return same == here.Length ? 0 : 1;
}
