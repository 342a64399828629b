using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;
using ZeroShot;

// Classes that are only words. A network for pictures and one for texts learn from one vendor's emoji and their names; then each emoji of
// another vendor, drawn by other hands, is named by its likeness to words. No label is learned: the words may be changed afterwards.
// --epochs N trains longer, --pictures FOLDER --labels a,b,c names other pictures, --model PATH takes a CLIP checkpoint or a saved zip in place of training.
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
Dictionary<string, string> options = args.Chunk(2).Where(pair => pair.Length == 2).ToDictionary(pair => pair[0], pair => pair[1]);
if (args.Length % 2 != 0 || options.Keys.Except(["--epochs", "--pictures", "--labels", "--model"]).Any())
{
    Console.Error.WriteLine("Usage: ZeroShot [--epochs N] [--model CHECKPOINT-OR-ZIP] [--pictures FOLDER --labels a,b,c]");
    return 2;
}

var ml = new MLContext(seed: 1);
Emoji[] google = Emoji.Read("google"), twitter = Emoji.Read("twitter");
IDataView test = ml.Data.LoadFromEnumerable(twitter);

using ImageTextTransformer model = options.TryGetValue("--model", out string? path) ? ml.Model.LoadClip(path) : Train();
string[] names = [.. google.Select(emoji => emoji.Text)];
foreach ((string what, PromptTemplates templates) in new[] { ("the name", PromptTemplates.None), ("sentences about drawings", PromptTemplates.Drawings) })
{
    using ZeroShotClipTransformer classifier = ml.Transforms.ZeroShotClip("Image", names, model, templates, labelColumnName: "Text").Fit(test);
    IDataView scored = classifier.Transform(test);
    MulticlassClassificationMetrics metrics = ml.MulticlassClassification.Evaluate(scored, labelColumnName: "Text", topKPredictionCount: 5);
    Console.WriteLine($"{twitter.Length} emoji of another vendor among {names.Length} names, by {what}: {metrics.MicroAccuracy:P1} right, {metrics.TopKAccuracy:P1} among the first five (chance {1.0 / names.Length:P2} and {5.0 / names.Length:P2})");
}

// Other words: the networks are shared, only the words' vectors are made.
using ZeroShotClipTransformer words = ml.Transforms.ZeroShotClip("Image", ["face", "animal", "food", "building"], model, PromptTemplates.None).Fit(test);
using ZeroShotClipTransformer chosen = options.TryGetValue("--labels", out string? labels) ? words.WithLabels(labels.Split(',', StringSplitOptions.TrimEntries)) : words.WithLabels(words.Labels);
using var engine = ml.Model.CreatePredictionEngine<Emoji, Named>(chosen);
IEnumerable<Emoji> shown = options.TryGetValue("--pictures", out string? folder) ? Emoji.ReadFolder(folder) : twitter.Where((_, index) => index % 50 == 7);
foreach (Emoji picture in shown)
{
    float[] score = engine.Predict(picture).Score;
    Console.WriteLine($"{picture.Text,-40} {string.Join("  ", chosen.Labels.Zip(score).OrderByDescending(pair => pair.Second).Take(4).Select(pair => $"{pair.First} {pair.Second:P0}"))}");
}

ml.Model.Save(words, test.Schema, "zero-shot.zip");
Console.WriteLine("zero-shot.zip has networks, tokenizer and words: ml.Model.Load(\"zero-shot.zip\", out _) elsewhere.");
return 0;

ImageTextTransformer Train()
{
    int epochs = int.Parse(options.GetValueOrDefault("--epochs", "60"), CultureInfo.InvariantCulture);
    Console.WriteLine($"Training on {google.Length} emoji of one vendor and their names, {epochs} epochs:");
    return EmojiModel.Train(ml, google, epochs, new Progress<TrainingProgress>(progress => Console.WriteLine($"  step {progress.Step} of {progress.TotalSteps}, loss {progress.Loss:f2}")));
}
