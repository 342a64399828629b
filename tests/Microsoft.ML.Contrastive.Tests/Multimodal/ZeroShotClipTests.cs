using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests.Multimodal;

public sealed class ZeroShotClipTests : IDisposable
{
    private static readonly string[] s_labels = ["dog", "fox", "brown numbers", "日本"];
    private readonly string _folder = Directory.CreateTempSubdirectory("zero-shot").FullName;
    private readonly MLContext _ml = new(1);
    private readonly ImageTextTransformer _model;

    public ZeroShotClipTests() => _model = _ml.Model.LoadClip(ToyClip.Folder(_folder));

    public void Dispose()
    {
        _model.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Scores_are_the_softmax_of_scaled_cosines_with_the_mean_of_each_words_sentences()
    {
        IDataView data = _ml.Data.LoadFromEnumerable(ToyClip.Rows(9));
        var templates = new PromptTemplates("the {}.", "a {} and a fox", "{}");
        using ZeroShotClipTransformer classifier = _ml.Transforms.ZeroShotClip("Image", s_labels, _model, templates).Fit(data);
        IDataView scored = classifier.Transform(data);
        float[][] scores = scored.Features("Score"), images = _model.Transform(data).Features("ImageVector");
        float[][] words = [.. s_labels.Select(label => Mean(_model.EmbedTexts([$"the {label}.", $"a {label} and a fox", label])))];
        uint[] keys = [.. scored.GetColumn<uint>("PredictedLabel")];
        foreach ((int row, float[] image) in images.Index())
        {
            double[] exponentials = [.. words.Select(word => Math.Exp(_model.LogitScale * Dot(image, word)))];
            Assert.All(exponentials.Zip(scores[row]), pair => Assert.Equal(pair.First / exponentials.Sum(), pair.Second, 1e-4));
            Assert.Equal(Array.IndexOf(scores[row], scores[row].Max()) + 1, (int)keys[row]);
        }
        Assert.True(keys.Distinct().Count() > 1); // or the checks above say little
        VBuffer<ReadOnlyMemory<char>> slots = default;
        scored.Schema["Score"].GetSlotNames(ref slots);
        Assert.Equal(s_labels, slots.DenseValues().Select(name => name.ToString()));
        using ZeroShotClipTransformer one = _ml.Transforms.ZeroShotClip("Image", s_labels, _model, PromptTemplates.None).Fit(data);
        Assert.NotEqual(scores[0], one.Transform(data).Features("Score")[0]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Evaluate_is_right_in_whatever_order_the_labels_come(bool asKeys)
    {
        CaptionedPicture[] rows = ToyClip.Rows(24);
        using ZeroShotClipTransformer classifier = Estimator(new() { Labels = s_labels, Model = _model, Templates = PromptTemplates.None, LabelColumnName = "Label" }).Fit(_ml.Data.LoadFromEnumerable(rows));
        string[] said = Said(classifier.Transform(_ml.Data.LoadFromEnumerable(rows)));
        Assert.True(said.Distinct().Count() > 1);
        foreach ((int row, CaptionedPicture picture) in rows.Index())
            picture.Label = row % 3 == 0 ? s_labels[(Array.IndexOf(s_labels, said[row]) + 1) % 4] : said[row];
        // MapValueToKey numbers by first occurrence, which is another order for each of these.
        foreach (CaptionedPicture[] order in new[] { rows, [.. rows.Reverse()], [.. rows.OrderByDescending(row => row.Label, StringComparer.Ordinal)] })
        {
            IDataView data = _ml.Data.LoadFromEnumerable(order);
            if (asKeys)
                data = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(data).Transform(data);
            MulticlassClassificationMetrics metrics = _ml.MulticlassClassification.Evaluate(classifier.Transform(data));
            Assert.Equal(16 / 24.0, metrics.MicroAccuracy, 1e-9);
        }
        rows[0].Label = "none of them";
        Assert.Equal(0u, classifier.Transform(_ml.Data.LoadFromEnumerable(rows)).GetColumn<uint>("Label").First());
    }

    [Fact]
    public void One_row_a_chain_and_a_zip_give_the_same_and_data_need_no_labels()
    {
        CaptionedPicture[] rows = ToyClip.Rows(6, s_labels);
        IDataView data = _ml.Data.LoadFromEnumerable(rows);
        var chain = Estimator(new() { Labels = s_labels, Model = _model, LabelColumnName = "Label" }).Append(_ml.Transforms.Conversion.MapKeyToValue("Said", "PredictedLabel")).Fit(data);
        string zip = Path.Combine(_folder, "zero.zip");
        _ml.Model.Save(chain, data.Schema, zip);
        var other = new MLContext();
        ITransformer loaded = other.Model.Load(zip, out _);
        Assert.Equal(chain.Transform(data).Features("Score"), loaded.Transform(data).Features("Score"));

        using var engine = other.Model.CreatePredictionEngine<CaptionedPicture, Prediction>(loaded);
        string[] said = Said(chain.Transform(data));
        float[][] scores = chain.Transform(data).Features("Score");
        for (int row = 0; row < rows.Length; row++)
        {
            Prediction prediction = engine.Predict(rows[row]);
            Assert.Equal(said[row], prediction.Said);
            Assert.All(scores[row].Zip(prediction.Score), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        }
        IDataView unlabelled = _ml.Transforms.SelectColumns("Image").Fit(data).Transform(data);
        Assert.Null(loaded.Transform(unlabelled).Schema.GetColumnOrNull("Label"));
        Assert.Equal(scores, loaded.Transform(unlabelled).Features("Score"));
        (loaded as IDisposable)?.Dispose();
    }

    [Fact]
    public void Other_labels_share_the_networks_and_words_of_before_are_remembered()
    {
        IDataView data = _ml.Data.LoadFromEnumerable(ToyClip.Rows(4));
        ZeroShotClipTransformer first = Estimator(new() { Labels = s_labels, Model = _model }).Fit(data);
        ZeroShotClipTransformer second = first.WithLabels(["cat", "dog"]);
        Assert.Same(first.Weights.Module, second.Weights.Module);
        Assert.Equal(["cat", "dog"], second.Labels);
        float[][] expected = Estimator(new() { Labels = ["cat", "dog"], Model = _model }).Fit(data).Transform(data).Features("Score");
        Assert.Equal(expected, second.Transform(data).Features("Score"));

        // The text network is broken; words that were known need it no more.
        using (TorchSharp.torch.no_grad())
            foreach (var weight in ((ImageTextModule)first.Weights.Module).TextTower.parameters())
                weight.fill_(double.NaN);
        Assert.Equal(expected, first.WithLabels(s_labels).WithLabels(["cat", "dog"]).Transform(data).Features("Score"));
        Assert.True(float.IsNaN(first.WithLabels(["unheard of", "dog"]).Transform(data).Features("Score")[0][0]));
        first.Dispose();
        _model.Dispose();
        Assert.Equal(expected, second.Transform(data).Features("Score"));
        second.Dispose();
        Assert.Throws<ObjectDisposedException>(() => second.Transform(data));
    }

    [Fact]
    public void Sigmoid_scores_take_each_class_by_itself()
    {
        IDataView data = _ml.Data.LoadFromEnumerable(ToyClip.Rows(5));
        using ZeroShotClipTransformer classifier = Estimator(new() { Labels = s_labels, Model = _model, Scores = ZeroShotScores.Sigmoid, Scale = 10, Bias = -2 }).Fit(data);
        using ZeroShotClipTransformer alternatives = Estimator(new() { Labels = s_labels, Model = _model, Scale = 10 }).Fit(data);
        float[][] scores = classifier.Transform(data).Features("Score"), shares = alternatives.Transform(data).Features("Score");
        foreach ((float[] each, float[] all) in scores.Zip(shares))
        {
            double[] logits = [.. each.Select(score => Math.Log(score / (1 - score)) + 2)];
            double sum = logits.Sum(Math.Exp);
            Assert.All(logits.Zip(all), pair => Assert.Equal(Math.Exp(pair.First) / sum, pair.Second, 1e-4));
        }
        Assert.Contains("without which sigmoid scores", Assert.Throws<ArgumentException>(() => Estimator(new() { Labels = s_labels, Model = _model, Scores = ZeroShotScores.Sigmoid })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_box_is_scored_as_a_picture_of_its_own()
    {
        CaptionedPicture[] rows = ToyClip.Rows(4);
        (int height, int width) = (rows[0].Image!.Height, rows[0].Image!.Width);
        rows[0].Boxes = [0, 0, width, height, 3, 5, 20.5f, 25];
        rows[2].Boxes = [-4, -4, 10, 10];
        IDataView data = _ml.Data.LoadFromEnumerable(rows);
        using ZeroShotClipTransformer classifier = Estimator(new() { Labels = s_labels, Model = _model, BoxesColumnName = "Boxes" }).Fit(data);
        IDataView scored = classifier.Transform(data);
        float[][] boxes = scored.Features("BoxScores"), whole = scored.Features("Score");
        uint[][] keys = [.. scored.GetColumn<uint[]>("BoxLabels")];
        Assert.Equal([8, 0, 4, 0], boxes.Select(row => row.Length));
        Assert.Equal([2, 0, 1, 0], keys.Select(row => row.Length));
        Assert.All(whole[0].Zip(boxes[0]), pair => Assert.Equal(pair.First, pair.Second, 1e-5));

        var cut = new CaptionedPicture { Image = Cut(rows[0].Image!, 3, 5, 21, 25) };
        IDataView alone = classifier.WithLabels(s_labels).Transform(_ml.Data.LoadFromEnumerable([cut]));
        Assert.All(alone.Features("Score")[0].Zip(boxes[0][4..]), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        Assert.Equal(alone.GetColumn<uint>("PredictedLabel").Single(), keys[0][1]);

        rows[1].Boxes = [1, 2, 3];
        Refused<InvalidOperationException>("Row 1 of column 'Boxes' has 3 numbers", () => classifier.Transform(data).Features("BoxScores"));
        rows[1].Boxes = [9, 0, 9, 5];
        Refused<InvalidOperationException>("Row 1 of column 'Boxes': box 0", () => classifier.Transform(data).Features("BoxScores"));
    }

    [Fact]
    public void The_promised_schema_is_the_one_that_comes_and_that_of_stock_trainers()
    {
        IDataView data = _ml.Data.LoadFromEnumerable(ToyClip.Rows(3, s_labels));
        ZeroShotClipEstimator estimator = Estimator(new() { Labels = s_labels, Model = _model, LabelColumnName = "Label", BoxesColumnName = "Boxes" });
        using ZeroShotClipTransformer classifier = estimator.Fit(data);
        SchemaShape came = SchemaShape.Create(classifier.Transform(data).Schema);
        Assert.Equal(came.Select(Print).Order(), estimator.GetOutputSchema(SchemaShape.Create(data.Schema)).Select(Print).Order());
        Assert.Equal(came.Select(Print), SchemaShape.Create(classifier.GetOutputSchema(data.Schema)).Select(Print));

        static string Print(SchemaShape.Column column)
            => $"{column.Name} {column.GetTypeString()} {string.Join(", ", column.Annotations.Select(annotation => $"{annotation.Name} {annotation.GetTypeString()}").Order())}";
    }

    [Fact]
    public void What_is_wrong_is_said_with_what_to_do()
    {
        Refused<ArgumentException>("no labels", () => Estimator(new() { Labels = [], Model = _model }));
        Refused<ArgumentException>("'dog' comes twice", () => Estimator(new() { Labels = ["dog", "fox", "dog"], Model = _model }));
        Refused<ArgumentException>("'dog ' comes twice", () => Estimator(new() { Labels = ["dog", "dog "], Model = _model }));
        Refused<ArgumentException>("Label 2 of 2 is empty", () => Estimator(new() { Labels = ["dog", " "], Model = _model }));
        Refused<ArgumentException>("Template 2, 'a photo', has no {}", () => _ = new PromptTemplates("{}", "a photo"));
        Refused<ArgumentException>("0 templates", () => _ = new PromptTemplates());
        Refused<ArgumentException>("names of their own", () => Estimator(new() { Labels = s_labels, Model = _model, ScoreColumnName = "PredictedLabel" }));
        Refused<ArgumentOutOfRangeException>("Scale", () => Estimator(new() { Labels = s_labels, Model = _model, Scale = 0 }));

        IDataView data = _ml.Data.LoadFromEnumerable(ToyClip.Rows(3));
        Refused<ArgumentException>("no column 'Picture'", () => Estimator(new() { Labels = s_labels, Model = _model, ImageColumnName = "Picture" }).Fit(data));
        Refused<ArgumentException>("Column 'Text'", () => Estimator(new() { Labels = s_labels, Model = _model, ImageColumnName = "Text" }).Fit(data));
        Refused<ArgumentException>("no column 'Class'", () => Estimator(new() { Labels = s_labels, Model = _model, LabelColumnName = "Class" }).Fit(data));
        Refused<ArgumentException>("expected labels as text", () => Estimator(new() { Labels = s_labels, Model = _model, LabelColumnName = "Boxes" }).Fit(data));
        Refused<ArgumentException>("left, top, right and bottom", () => Estimator(new() { Labels = s_labels, Model = _model, BoxesColumnName = "Text" }).Fit(data));

        CaptionedPicture[] rows = ToyClip.Rows(3);
        rows[2].Image = null;
        IDataView missing = _ml.Data.LoadFromEnumerable(rows);
        Refused<InvalidOperationException>("Row 2 of column 'Image'", () => Estimator(new() { Labels = s_labels, Model = _model }).Fit(missing).Transform(missing).Features("Score"));
        IDataView skipped = Estimator(new() { Labels = s_labels, Model = _model, MissingImages = MissingImages.Skip }).Fit(missing).Transform(missing);
        Assert.Equal(0u, skipped.GetColumn<uint>("PredictedLabel").Last());
        Assert.True(float.IsNaN(skipped.Features("Score")[2][0]));
    }

    [Fact]
    public void Sentences_beyond_the_context_are_cut_counted_and_told_once()
    {
        var messages = new List<string>();
        _ml.Log += (_, entry) => messages.Add(entry.Message);
        string longLabel = string.Join(' ', Enumerable.Repeat("fox", 40));
        using ZeroShotClipTransformer classifier = Estimator(new() { Labels = ["dog", longLabel], Model = _model, Templates = new("the {}", "{}") }).Fit(_ml.Data.LoadFromEnumerable(ToyClip.Rows(1)));
        Assert.Single(messages, message => message.Contains("2 of 4 sentences about the labels were longer than the model's 16 tokens", StringComparison.Ordinal));
    }

    [Fact]
    public void What_a_model_could_not_be_loaded_with_is_refused_also_on_a_fitted_one()
    {
        using ZeroShotClipTransformer classifier = Estimator(new() { Labels = s_labels, Model = _model }).Fit(_ml.Data.LoadFromEnumerable(ToyClip.Rows(1)));
        string[] many = [.. Enumerable.Range(0, 30_000).Select(i => $"{i:d40}")];
        Refused<ArgumentException>("labels are too long", () => classifier.WithLabels(many));
        Refused<ArgumentException>("templates are too long", () => classifier.WithLabels(s_labels, new([.. Enumerable.Range(0, 1000).Select(i => $"{i} {new string('\u5b57', 900)} {{}}")])));
    }

    [Fact]
    public void Words_that_are_one_to_the_model_are_told_once_and_more_labels_than_are_made_at_once_get_their_own_vectors()
    {
        var messages = new List<string>();
        _ml.Log += (_, entry) => messages.Add(entry.Message);
        IDataView data = _ml.Data.LoadFromEnumerable(ToyClip.Rows(2));
        using ZeroShotClipTransformer classifier = Estimator(new() { Labels = ["dog", "fox", "Dog"], Model = _model }).Fit(data);
        Assert.Single(messages, message => message.Contains("'dog' and 'Dog' are the same tokens", StringComparison.Ordinal));
        string[] many = [.. Enumerable.Range(0, 300).Select(i => $"dog {i} fox {i * 7}")];
        using ZeroShotClipTransformer all = classifier.WithLabels(many), last = classifier.WithLabels([many[299], many[0]]);
        float[] ofAll = Logits(all.Transform(data).Features("Score")[0]), ofTwo = Logits(last.Transform(data).Features("Score")[0]);
        Assert.Equal(ofTwo[0] - ofTwo[1], ofAll[299] - ofAll[0], 1e-3f);

        static float[] Logits(float[] scores) => Array.ConvertAll(scores, MathF.Log);
    }

    [Fact]
    public void Labels_that_are_no_classes_are_told()
    {
        var messages = new List<string>();
        _ml.Log += (_, entry) => messages.Add(entry.Message);
        CaptionedPicture[] rows = ToyClip.Rows(3);
        foreach (CaptionedPicture row in rows)
            row.Label = s_labels[0];
        IDataView data = _ml.Data.LoadFromEnumerable(rows), keys = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(data).Transform(data);
        using ZeroShotClipTransformer classifier = Estimator(new() { Labels = s_labels, Model = _model, LabelColumnName = "Label" }).Fit(data);
        Assert.All(classifier.Transform(data).GetColumn<uint>("Label"), key => Assert.Equal(1u, key));
        Assert.DoesNotContain(messages, message => message.Contains("of the classes", StringComparison.Ordinal));
        ZeroShotClipTransformer other = classifier.WithLabels(["unlike", "any"]);
        foreach (IDataView view in new[] { data, keys })
            Assert.All(other.Transform(view).GetColumn<uint>("Label"), key => Assert.Equal(0u, key));
        Assert.Equal(2, messages.Count(message => message.Contains("None of the 3 labels in column 'Label' is one of the classes", StringComparison.Ordinal)));
        rows[1].Label = s_labels[0] + "s";
        Assert.Equal([1u, 0u, 1u], classifier.Transform(_ml.Data.LoadFromEnumerable(rows)).GetColumn<uint>("Label"));
        CaptionedPicture[] many = ToyClip.Rows(150); // more than one of a cursor's two readers takes at once
        foreach ((int index, CaptionedPicture row) in many.Index())
            row.Label = index < 64 ? "none" : s_labels[0];
        Assert.Equal(86, classifier.Transform(_ml.Data.LoadFromEnumerable(many)).GetColumn<uint>("Label").Count(key => key == 1));
        Assert.Single(messages, message => message.Contains("64 of the 150 labels in column 'Label' are none of the classes", StringComparison.Ordinal));
        Assert.Single(messages, message => message.Contains("1 of the 3 labels in column 'Label' are none of the classes", StringComparison.Ordinal));
    }

    [Fact]
    public void Templates_come_from_a_file()
    {
        string path = Path.Combine(_folder, "templates.txt");
        File.WriteAllText(path, "a {}.\n\n  the {} \n");
        Assert.Equal(new PromptTemplates("a {}.", "the {}"), PromptTemplates.FromFile(path));
        Assert.Equal("a {}. | the {}", PromptTemplates.FromFile(path).ToString());
        File.WriteAllText(path, "a {}.\nnothing\n");
        Assert.Contains("templates.txt: Template 2, 'nothing'", Assert.Throws<InvalidDataException>(() => PromptTemplates.FromFile(path)).Message, StringComparison.Ordinal);
        Assert.True(PromptTemplates.Photos.Templates.Count > 5 && PromptTemplates.Drawings.Templates.Count > 5);
        Assert.Equal(PromptTemplates.Photos.Templates.Count, PromptTemplates.Photos.Templates.Distinct().Count());
    }

    [Theory]
    [InlineData("zeroshot.json", "scale", "-1", "'scale'")]
    [InlineData("zeroshot.json", "templates", """["a photo"]""", "has no {}")]
    [InlineData("zeroshot.json", "templates", "null", "damaged or edited")]
    [InlineData("zeroshot.json", "unknown", "1", "unknown")]
    [InlineData("zeroshot.json", "boxes", """{ "boxes": "", "labels": "a", "scores": "b" }""", "has no name")]
    [InlineData("classes.json", "values", """["dog", "dog", "a", "b"]""", "comes twice")]
    [InlineData("classes.json", "kind", "\"single\"", "damaged or edited")]
    [InlineData("classes.json", "count", "3", "'values'")]
    public void Edited_entries_are_refused_with_what_is_wrong(string entry, string field, string value, string message)
    {
        IDataView data = _ml.Data.LoadFromEnumerable(ToyClip.Rows(1));
        using var stream = new MemoryStream();
        _ml.Model.Save(Estimator(new() { Labels = s_labels, Model = _model }).Fit(data), data.Schema, stream);
        JsonObject content = JsonNode.Parse(Encoding.UTF8.GetString(ZipEntries.Read(stream.ToArray(), entry)))!.AsObject();
        content[field] = JsonNode.Parse(value);
        using var edited = new MemoryStream(ZipEntries.Replace(stream.ToArray(), entry, Encoding.UTF8.GetBytes(content.ToJsonString())));
        Exception error = Assert.Throws<TargetInvocationException>(() => new MLContext().Model.Load(edited, out _)).InnerException!;
        Assert.Contains(message, Assert.IsType<InvalidDataException>(error).Message, StringComparison.Ordinal);
    }

    private ZeroShotClipEstimator Estimator(ZeroShotClipEstimator.Options options) => _ml.Transforms.ZeroShotClip(options);

    private string[] Said(IDataView scored) => [.. _ml.Transforms.Conversion.MapKeyToValue("Words", "PredictedLabel").Fit(scored).Transform(scored).GetColumn<string>("Words")];

    private static void Refused<TException>(string message, Action act)
        where TException : Exception => Assert.Contains(message, Assert.ThrowsAny<TException>(act).Message, StringComparison.Ordinal);

    private static MLImage Cut(MLImage image, int left, int top, int right, int bottom)
    {
        var pixels = new byte[4 * (right - left) * (bottom - top)];
        for (int row = top; row < bottom; row++)
            image.Pixels.Slice(4 * (row * image.Width + left), 4 * (right - left)).CopyTo(pixels.AsSpan(4 * (row - top) * (right - left)));
        return MLImage.CreateFromPixels(right - left, bottom - top, image.PixelFormat, pixels);
    }

    private static float[] Mean(float[][] unit)
    {
        double[] sum = [.. Enumerable.Range(0, unit[0].Length).Select(i => unit.Sum(vector => (double)vector[i]))];
        double length = Math.Sqrt(sum.Sum(value => value * value));
        return [.. sum.Select(value => (float)(value / length))];
    }

    private static double Dot(float[] one, float[] other) => one.Zip(other).Sum(pair => (double)pair.First * pair.Second);

    private sealed class Prediction
    {
        public string Said { get; set; } = "";

        public float[] Score { get; set; } = [];
    }
}
