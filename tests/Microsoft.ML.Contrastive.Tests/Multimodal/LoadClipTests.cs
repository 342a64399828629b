using System.Reflection;
using Microsoft.ML.Contrastive.Tests.KnownAnswers;
using Microsoft.ML.Contrastive.Tests.Persistence;
using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Multimodal;

public sealed class LoadClipTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("load-clip").FullName;
    private readonly MLContext _ml = new(1);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Both_vectors_are_unit_and_what_the_networks_give_and_come_again_from_a_zip()
    {
        using ImageTextTransformer model = _ml.Model.LoadClip(ToyClip.Folder(_folder));
        IDataView data = _ml.Data.LoadFromEnumerable(ToyClip.Rows(5));
        IDataView vectors = model.Transform(data);
        float[][] images = vectors.Features("ImageVector"), texts = vectors.Features("TextVector");
        Assert.All(images.Concat(texts), vector => Assert.Equal(1, vector.Sum(number => number * number), 1e-5));
        Assert.Equal(texts, model.EmbedTexts(data.GetColumn<string>("Text"), TestContext.Current.CancellationToken));
        Assert.Equal((12, 100 / 7.0), (model.EmbeddingSize, Math.Round(model.LogitScale, 4) is 14.2857 ? 100 / 7.0 : model.LogitScale));
        Assert.Null(model.LogitBias);

        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var module = (ImageTextModule)model.Weights.Module;
        int[] ids = ToyClip.Tokenizer.Encode("the quick dog 3", 16);
        TensorAssert.Equal(nn.functional.normalize(module.Texts(TextTensors.Of([ids])))[0], tensor(texts[3]));

        string zip = Path.Combine(_folder, "model.zip");
        _ml.Model.Save(model, data.Schema, zip);
        using ImageTextTransformer again = new MLContext().Model.LoadClip(zip);
        Assert.Equal(images, again.Transform(data).Features("ImageVector"));
        Assert.Equal(texts, again.Transform(data).Features("TextVector"));
        Assert.Equal(model.Encoder, again.Encoder);
    }

    [Fact]
    public void The_zip_of_a_classifier_by_words_has_the_model_too()
    {
        IDataView data = _ml.Data.LoadFromEnumerable(ToyClip.Rows(4));
        using ImageTextTransformer model = _ml.Model.LoadClip(ToyClip.Folder(_folder));
        using ZeroShotClipTransformer classifier = _ml.Transforms.ZeroShotClip("Image", ["dog", "fox"], model).Fit(data);
        string zip = Path.Combine(_folder, "words.zip");
        _ml.Model.Save(classifier, data.Schema, zip);
        using ImageTextTransformer again = new MLContext().Model.LoadClip(zip);
        Assert.Equal(model.Transform(data).Features("ImageVector"), again.Transform(data).Features("ImageVector"));
        Assert.Equal(model.Transform(data).Features("TextVector"), again.Transform(data).Features("TextVector"));
    }

    [Fact]
    public void A_model_within_a_chain_within_a_chain_is_found()
    {
        IDataView data = _ml.Data.LoadFromEnumerable(ToyClip.Rows(4));
        using ImageTextTransformer model = _ml.Model.LoadClip(ToyClip.Folder(_folder));
        ITransformer chain = _ml.Transforms.CopyColumns("Copy", "Text").Append(_ml.Transforms.ZeroShotClip("Image", ["dog", "fox"], model)
            .Append(_ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"))).Fit(data);
        string zip = Path.Combine(_folder, "chain.zip");
        _ml.Model.Save(chain, data.Schema, zip);
        using ImageTextTransformer again = new MLContext().Model.LoadClip(zip);
        Assert.Equal(model.Transform(data).Features("TextVector"), again.Transform(data).Features("TextVector"));
    }

    [Fact]
    public void The_tokenizer_of_transformers_own_converter_is_read()
    {
        IDataView data = _ml.Data.LoadFromEnumerable(ToyClip.Rows(4));
        string folder = ToyClip.Folder(_folder), file = Path.Combine(folder, "tokenizer.json");
        using ImageTextTransformer before = _ml.Model.LoadClip(folder);
        string json = File.ReadAllText(file), own = @"<\\|startoftext\\|>|<\\|endoftext\\|>|";
        Assert.Contains(own, json, StringComparison.Ordinal);
        File.WriteAllText(file, json.Replace(own, "", StringComparison.Ordinal));
        using ImageTextTransformer after = _ml.Model.LoadClip(folder);
        Assert.Equal(before.Transform(data).Features("TextVector"), after.Transform(data).Features("TextVector"));
    }

    [Fact]
    public void One_vector_alone_needs_only_its_own_column_and_shares_the_networks()
    {
        ImageTextTransformer model = _ml.Model.LoadClip(ToyClip.Folder(_folder));
        IDataView data = _ml.Data.LoadFromEnumerable(ToyClip.Rows(3)), texts = _ml.Transforms.SelectColumns("Text").Fit(data).Transform(data);
        float[][] expected = model.Transform(data).Features("TextVector");
        Assert.Contains("no column 'Image'", Assert.Throws<ArgumentException>(() => model.Transform(texts)).Message, StringComparison.Ordinal);
        using ImageTextTransformer alone = model.Only("TextVector");
        model.Dispose();
        IDataView vectors = alone.Transform(texts);
        Assert.Null(vectors.Schema.GetColumnOrNull("ImageVector"));
        Assert.Equal(expected, vectors.Features("TextVector"));
        Assert.Throws<ArgumentException>(() => alone.Only("Vector"));
    }

    [Fact]
    public void Retrieval_over_a_view_counts_what_stands_before_the_own_one()
    {
        CaptionedPicture[] rows = ToyClip.Rows(12);
        using ImageTextTransformer model = _ml.Model.LoadClip(ToyClip.Folder(_folder));
        IDataView vectors = model.Transform(_ml.Data.LoadFromEnumerable(rows));
        float[][] images = vectors.Features("ImageVector"), texts = vectors.Features("TextVector");
        RetrievalMetrics metrics = _ml.Representation().EvaluateRetrievalBetween(vectors, "TextVector", "ImageVector");
        for (int query = 0; query < rows.Length; query++)
        {
            double[] cosines = [.. images.Select(image => image.Zip(texts[query]).Sum(pair => (double)pair.First * pair.Second))];
            Assert.InRange(metrics.Ranks[query], cosines.Count(cosine => cosine > cosines[query] + 1e-6) + 1, cosines.Count(cosine => cosine >= cosines[query] - 1e-6));
        }
        Assert.Equal(metrics.Ranks.Count(rank => rank <= 5) / 12.0, metrics.RecallAt(5), 1e-12);
        foreach ((int index, CaptionedPicture row) in rows.Index())
            row.Label = index < 6 ? "one" : "other";
        Assert.All(_ml.Representation().EvaluateRetrievalBetween(vectors, "TextVector", "ImageVector", "Label").Ranks, rank => Assert.InRange(rank, 1, 7));
    }

    [Fact]
    public void Pictures_reach_the_network_as_Pillow_would_send_them()
    {
        string path = ClipFiles.Write(_folder, ClipScheme.OpenAIFile, Named(), ToyClip.Side);
        using ImageTextTransformer model = LoadFile(path);
        PictureInput pictures = model.Weights.Manifest.Pairs().Pictures;
        Assert.Equal((PlainResizing.BicubicBytes, ToyClip.Side, 3), (pictures.Resizing, pictures.Height, pictures.Channels));
        Assert.Equal(ClipConfig.Published.Mean, pictures.Normalization.Mean);

        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        CaptionedPicture row = ToyClip.Rows(3)[2];
        var bytes = new byte[3 * row.Image!.Height * row.Image.Width];
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = row.Image.Pixels[4 * (i % (bytes.Length / 3)) + i / (bytes.Length / 3)];
        var view = new float[3 * ToyClip.Side * ToyClip.Side];
        new ImageViewMaker(new ImageAugmentation(), ToyClip.Side, ToyClip.Side, 3, ClipConfig.Published, PlainResizing.BicubicBytes).MakePlain(new Picture(bytes, row.Image.Height, row.Image.Width, 3), view);
        Tensor expected = model.Weights.Module.forward(tensor(view).view(1, 3, ToyClip.Side, ToyClip.Side))[0];
        TensorAssert.Equal(expected, tensor(model.Transform(_ml.Data.LoadFromEnumerable([row])).Features("ImageVector")[0]));

        ImageTextTransformer LoadFile(string file)
        {
            // A file alone has no tokenizer of this vocabulary: one must lie beside it, and then the folder is a model too, which needs no configuration.
            Assert.Contains("tokenizer.json", Assert.Throws<InvalidDataException>(() => Load(file)).Message, StringComparison.Ordinal);
            TokenizerFiles.Write(ToyClip.Tokenizer, (name, content) => File.WriteAllBytes(Path.Combine(_folder, name), content));
            using ImageTextTransformer byFolder = Load(_folder);
            ImageTextTransformer byFile = Load(file);
            Assert.Equal(byFolder.EmbedTexts(["a dog"]), byFile.EmbedTexts(["a dog"]));
            return byFile;

            ImageTextTransformer Load(string place) => _ml.Model.LoadClip(new ClipLoadOptions { Path = place, ImageHeads = 2, TextHeads = 2 });
        }
    }

    [Fact]
    public void A_picture_that_is_missing_is_an_error_that_names_the_row_or_a_vector_of_NaN()
    {
        CaptionedPicture[] rows = ToyClip.Rows(3);
        rows[1].Image = null;
        IDataView data = _ml.Data.LoadFromEnumerable(rows);
        string folder = ToyClip.Folder(_folder);
        using (ImageTextTransformer fails = _ml.Model.LoadClip(folder))
            Assert.Contains("Row 1 of column 'Image'", Assert.ThrowsAny<InvalidOperationException>(() => fails.Transform(data).Features("ImageVector")).Message, StringComparison.Ordinal);
        using ImageTextTransformer skips = _ml.Model.LoadClip(new ClipLoadOptions { Path = folder, MissingImages = MissingImages.Skip });
        float[][] vectors = skips.Transform(data).Features("ImageVector");
        Assert.True(float.IsNaN(vectors[1][0]) && float.IsFinite(vectors[2][0]));
    }

    [Fact]
    public void Bad_options_zips_and_entries_are_refused()
    {
        Assert.Throws<ArgumentException>("Path", () => _ml.Model.LoadClip(""));
        Assert.Throws<ArgumentException>("TextOutputColumnName", () => _ml.Model.LoadClip(new ClipLoadOptions { Path = "x", TextOutputColumnName = "ImageVector" }));
        Assert.Throws<ArgumentException>("ImageShape", () => _ml.Model.LoadClip(new ClipLoadOptions { Path = "x", ImageShape = new ImageShape(8, 8, 1) }));
        Assert.Throws<ArgumentOutOfRangeException>("TransformBatchSize", () => _ml.Model.LoadClip(new ClipLoadOptions { Path = "x", TransformBatchSize = 0 }));
        Assert.Contains("does not exist", Assert.Throws<InvalidDataException>(() => _ml.Model.LoadClip(Path.Combine(_folder, "gone.safetensors"))).Message.Replace("There is neither", "does not exist", StringComparison.Ordinal), StringComparison.Ordinal);

        IDataView data = _ml.View(Pictures.Make(8));
        string zip = Path.Combine(_folder, "other.zip");
        _ml.Model.Save(_ml.Transforms.CopyColumns("Copy", "Id").Fit(data), data.Schema, zip);
        Assert.Contains("holds 0 models", Assert.Throws<InvalidDataException>(() => _ml.Model.LoadClip(zip)).Message, StringComparison.Ordinal);

        using ImageTextTransformer model = _ml.Model.LoadClip(ToyClip.Folder(_folder));
        using var stream = new MemoryStream();
        _ml.Model.Save(model, _ml.Data.LoadFromEnumerable(ToyClip.Rows(1)).Schema, stream);
        Refused("no entry tokenizer.json", ZipEntries.Replace(stream.ToArray(), "tokenizer.json", null));
        string manifest = System.Text.Encoding.UTF8.GetString(ZipEntries.Read(stream.ToArray(), "manifest.json"));
        Refused("'vocabularySize'", ZipEntries.Replace(stream.ToArray(), "manifest.json", System.Text.Encoding.UTF8.GetBytes(manifest.Replace("\"embeddingSize\": 12", "\"embeddingSize\": 13", StringComparison.Ordinal))), "doesn't fit the model");
        Refused("damaged or edited", ZipEntries.Replace(stream.ToArray(), "manifest.json", System.Text.Encoding.UTF8.GetBytes(manifest.Replace("\"outputs\": \"both\"", "\"outputs\": \"none\"", StringComparison.Ordinal))));

        static void Refused(string message, byte[] bytes, string? other = null)
        {
            using var zipped = new MemoryStream(bytes);
            Exception error = Assert.Throws<TargetInvocationException>(() => new MLContext().Model.Load(zipped, out _)).InnerException!;
            Assert.Contains(other ?? message, Assert.IsType<InvalidDataException>(error).Message, StringComparison.Ordinal);
        }
    }

    private static Dictionary<string, Tensor> Named() => ClipFiles.Random(ToyClip.Shape, ToyClip.Side, seed: 5);
}
