using System.IO.Compression;
using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.Contrastive.Endurance;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>The encoder in ML.NET's zip: whole, it gives the same rows anywhere; damaged or edited, a clear error.</summary>
public sealed class ModelZipTests(ModelZipTests.Saved saved) : IClassFixture<ModelZipTests.Saved>
{
    private const string Manifest = "manifest.json", Weights = "weights.safetensors";

    [Fact]
    public void With_stock_trainers_before_and_after_it_gives_equal_rows_schema_and_annotations()
    {
        var ml = new MLContext(1);
        PictureRow[] rows = Pictures.Make(80);
        IDataView data = ml.View(rows);
        var chain = ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(ml.Transforms.Conversion.ConvertType("Image", outputKind: DataKind.Single))
            .Append(Estimator(ml, new SimSiam()))
            .AppendCacheCheckpoint(ml)
            .Append(ml.MulticlassClassification.Trainers.SdcaMaximumEntropy(maximumNumberOfIterations: 5))
            .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
        using TransformerChain<Microsoft.ML.Transforms.KeyToValueMappingTransformer> model = chain.Fit(data);
        using var stream = new MemoryStream();
        ml.Model.Save(model, data.Schema, stream);

        var fresh = new MLContext(99);
        ITransformer loaded = Load(fresh, stream.ToArray(), out DataViewSchema inputSchema);
        Assert.Equal(Show(data.Schema), Show(inputSchema));
        IDataView before = model.Transform(data), after = loaded.Transform(data);
        Assert.Equal(Show(before.Schema), Show(after.Schema));
        Assert.Contains("SlotNames", Show(after.Schema), StringComparison.Ordinal); // of the scores
        AssertClose(before.Features(), after.Features());
        AssertClose(before.Features("Score"), after.Features("Score"));
        Assert.Equal(before.GetColumn<string>("PredictedLabel"), after.GetColumn<string>("PredictedLabel"));

        using PredictionEngine<PictureRow, Prediction> engine = fresh.Model.CreatePredictionEngine<PictureRow, Prediction>(loaded, inputSchema);
        float[][] features = before.Features();
        for (int i = 0; i < 5; i++)
            AssertClose([features[i]], [engine.Predict(rows[i]).Features]);
    }

    [Fact]
    public void Its_entries_can_be_read_and_hold_what_the_run_decided_and_nothing_of_the_machine()
    {
        using var source = new CancellationTokenSource();
        var ml = new MLContext(); // no seed
        var method = new MoCoV2();
        using ContrastivePretrainTransformer encoder = Estimator(
            ml, method, new TrainingOptions { Steps = 2, BatchSize = 32, CancellationToken = source.Token, Progress = new Progress<TrainingProgress>() }).Fit(ml.View(Pictures.Make(70)));
        byte[] zip = Save(ml, encoder, ml.View(Pictures.Make(1)).Schema);
        string text = Encoding.UTF8.GetString(ZipEntries.Read(zip, Manifest));
        JsonNode manifest = JsonNode.Parse(text)!;

        JsonNode settings = manifest["training"]!["settings"]!;
        Assert.Equal("MoCoV2", (string)manifest["training"]!["method"]!);
        Assert.Equal(32, (int)settings["queueLength"]!); // resolved, not null
        Assert.Equal(0.99, (double)settings["momentum"]!);
        Assert.Equal("sgd", (string)settings["optimizer"]!["kind"]!);
        Assert.Equal(2, settings["augmentations"]!.AsArray().Count);
        Assert.Equal(6, (int)manifest["training"]!["droppedRowsPerEpoch"]!);
        Assert.DoesNotContain("token", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("progress", text, StringComparison.OrdinalIgnoreCase);
        foreach (string machine in new[] { Environment.MachineName, Environment.UserName, Environment.CurrentDirectory, Path.GetTempPath() })
            Assert.DoesNotContain($"\"{machine}", text, StringComparison.Ordinal);

        using var weights = new SafeTensorsReader(new MemoryStream(ZipEntries.Read(zip, Weights)), Weights);
        Assert.Equal(encoder.Weights.Module.state_dict().Keys.Order(StringComparer.Ordinal), weights.Entries.Select(entry => entry.Name).Order(StringComparer.Ordinal));

        // The drawn seed is kept: with it the run can be had again.
        var again = new MLContext((int)manifest["training"]!["seed"]!);
        using ContrastivePretrainTransformer repeated = Estimator(again, method, new TrainingOptions { Steps = 2, BatchSize = 32 }).Fit(again.View(Pictures.Make(70)));
        IDataView data = again.View(Pictures.Make(5));
        Assert.Equal(encoder.Transform(data).Features(), repeated.Transform(data).Features());
    }

    [Fact]
    public void Without_an_input_schema_it_loads_as_well()
    {
        var ml = new MLContext(2);
        ITransformer loaded = Load(ml, Save(ml, saved.Encoder, inputSchema: null), out DataViewSchema schema);
        Assert.Null(schema);
        IDataView data = ml.View(Pictures.Make(5));
        AssertClose(saved.Encoder.Transform(data).Features(), loaded.Transform(data).Features());
    }

    [Fact]
    public void A_truncated_zip_gives_an_error_at_every_length()
    {
        int length = saved.Zip.Length;
        foreach (int keep in Enumerable.Range(0, 60).Select(i => (int)((long)length * i / 60)).Concat(Enumerable.Range(1, 40).Select(i => length - i)))
            Assert.IsType<FormatException>(LoadError(saved.Zip[..keep])); // ML.NET's own, before we are asked
    }

    public static TheoryData<string, string, string> EditedManifests() => new()
    {
        { "format", "2", "newer version" },
        { "format", "0", "'Format'" },
        { "format", "\"one\"", "damaged or edited" },
        { "format", "1e30", "damaged or edited" },
        { "format", "null", "damaged or edited" },
        { "encoder", "null", "encoder" },
        { "encoder", """{ "kind": "transformer9" }""", "transformer9" },
        { "encoder", """{ "width": 4 }""", "damaged or edited" },
        { "encoder", """{ "kind": "smallConvNet", "width": 1000000000 }""", "from 1 to 256" },
        { "encoder", """{ "kind": "smallConvNet", "width": 268435457 }""", "from 1 to 256" }, // 8 w overflows to 8
        { "encoder", """{ "kind": "smallConvNet", "width": 5 }""", "doesn't fit the model" },
        { "encoder", """{ "kind": "smallConvNet", "width": 4, "code": "System.IO.File" }""", "code" },
        { "encoder", """{ "kind": "System.IO.FileInfo, System.Runtime" }""", "FileInfo" },
        { "encoder", """{ "$type": "System.IO.FileInfo, System.Runtime", "kind": "smallConvNet", "width": 4 }""", "damaged or edited" },
        { "encoder", """{ "kind": "a\r\n\u001b[31m" }""", @"\u001b[31m" },
        { "encoder", """{ "kind": "resNet", "depth": 19 }""", "18, 34, 50, 101 or 152" },
        { "encoder", """{ "kind": "resNet", "selectiveKernels": true }""", "no bottleneck" },
        { "encoder", """{ "kind": "resNet", "stem": "Vast" }""", "damaged or edited" },
        { "encoder", """{ "kind": "visionTransformer", "width": 1000000000 }""", "from 16 to 768" },
        { "encoder", """{ "kind": "visionTransformer", "depth": 1000000 }""", "from 1 to 12" },
        { "encoder", """{ "kind": "visionTransformer", "heads": 0 }""", "from 1 to 16" },
        { "encoder", """{ "kind": "visionTransformer", "heads": 5 }""", "5 heads" },
        { "encoder", """{ "kind": "visionTransformer", "patch": 1 }""", "from 2 to 16" },
        { "encoder", """{ "kind": "visionTransformer", "patch": 5 }""", "patches of 5" },
        { "encoder", """{ "kind": "visionTransformer", "positions": "vague" }""", "damaged or edited" },
        { "encoder", """{ "kind": "visionTransformer" }""", "doesn't fit the model" },
        { "encoder", """{ "kind": "resNet", "width": 1000000000 }""", "from 8 to 192" },
        { "encoder", """{ "kind": "resNet", "depth": 152, "stem": "small", "width": 192, "selectiveKernels": true }""", "doesn't fit the model" },
        { "encoder", """{ "kind": "encoderWithHead", "backbone": { "kind": "smallConvNet" }, "headSize": 1000000000 }""", "from 1 to 6144" },
        { "encoder", """{ "kind": "encoderWithHead", "backbone": null, "headSize": 8 }""", "damaged or edited" },
        { "encoder", """{ "kind": "encoderWithHead", "backbone": { "kind": "encoderWithHead", "backbone": { "kind": "smallConvNet" }, "headSize": 8 }, "headSize": 8 }""", "can't be another" },
        { "encoder", """{ "kind": "encoderWithHead", "backbone": { "kind": "smallConvNet" }, "headSize": 8, "featuresFrom": "nowhere" }""", "damaged or edited" },
        { "encoder", """{ "kind": "luminanceAndColor", "luminance": { "kind": "smallConvNet", "width": 4 } }""", "color" },
        { "encoder", """{ "kind": "luminanceAndColor", "luminance": null, "color": null }""", "damaged or edited" },
        { "encoder", """{ "kind": "luminanceAndColor", "luminance": { "kind": "smallConvNet", "width": 1000000000 }, "color": { "kind": "smallConvNet" } }""", "from 1 to 256" },
        { "encoder", """{ "kind": "luminanceAndColor", "luminance": { "kind": "smallConvNet" }, "color": { "kind": "smallConvNet" } }""", "one channel" },
        { "encoder", """{ "kind": "luminanceAndColor", "luminance": { "kind": "luminanceAndColor", "luminance": { "kind": "smallConvNet" }, "color": { "kind": "smallConvNet" } }, "color": { "kind": "smallConvNet" } }""", "can't be another" },
        { "height", "1000000000", "'Height'" },
        { "width", "4097", "'Width'" },
        { "width", "0", "'Width'" },
        { "height", "7", "'Encoder'" },
        { "channels", "2", "'Channels'" },
        { "channels", "3", "'Channels'" }, // the shape says 1
        { "batchSize", "0", "'BatchSize'" },
        { "batchSize", "1000000000", "'BatchSize'" },
        { "imageShape", """{ "height": 16, "width": 16 }""", "channels" },
        { "imageShape", """{ "height": -16, "width": 16, "channels": 1 }""", "Height" },
        { "outputColumn", "null", "outputColumn" },
        { "inputColumn", "\"\"", "'InputColumn'" },
        { "normalization", "null", "normalization" },
        { "normalization", """{ "mean": [0.5] }""", "deviation" },
        { "normalization", """{ "mean": null, "deviation": [1] }""", "mean" },
        { "normalization", """{ "mean": [0.5, 0.5], "deviation": [1, 1] }""", "'Normalization'" },
        { "normalization", """{ "mean": [0.5], "deviation": [0] }""", "'Normalization'" },
        { "normalization", """{ "mean": [1e39], "deviation": [1] }""", "'Normalization'" },
        { "unknown", "1", "unknown" },
        { "input", """{ "kind": "sounds" }""", "sounds" },
        { "input", Sequences(length: 1_000_000_000, size: 3), "numbers" },
        { "input", Sequences(length: 64, size: 3), "'Normalization'" },
        { "input", Sequences(length: 5, size: 1), "Halvings" },
        { "input", Sequences(length: 64, size: 1), "doesn't fit the model" },
    };

    private static string Sequences(int length, int size)
        => $$$"""{ "kind": "sequences", "shape": { "length": {{{length}}}, "size": {{{size}}} }, "channels": {{{size}}}, "normalization": { "mean": [0], "deviation": [1] }, "encoder": { "width": 1 } }""";

    [Theory]
    [MemberData(nameof(EditedManifests))]
    public void An_edited_manifest_is_refused_with_the_field_that_is_wrong(string field, string value, string message)
    {
        JsonObject manifest = JsonNode.Parse(ZipEntries.Read(saved.Zip, Manifest))!.AsObject();
        JsonObject input = manifest["input"]!.AsObject();
        (input.ContainsKey(field) ? input : manifest)[field] = JsonNode.Parse(value);
        AssertRefused(message, Edit(Manifest, Encoding.UTF8.GetBytes(manifest.ToJsonString())));
    }

    [Fact]
    public void A_manifest_without_one_of_its_fields_is_refused()
    {
        string[] optional = ["imageShape", "missingImages", "resizing", "training"];
        JsonObject manifest = JsonNode.Parse(ZipEntries.Read(saved.Zip, Manifest))!.AsObject();
        foreach (Func<JsonObject, JsonObject> part in new Func<JsonObject, JsonObject>[] { whole => whole, whole => whole["input"]!.AsObject() })
            foreach (string field in part(manifest).Select(property => property.Key).Except(optional).ToArray())
            {
                JsonObject edited = manifest.DeepClone().AsObject();
                part(edited).Remove(field);
                AssertRefused("damaged or edited", Edit(Manifest, Encoding.UTF8.GetBytes(edited.ToJsonString())));
            }
    }

    [Fact]
    public void A_manifest_that_is_no_json_or_nests_deeply_is_refused()
    {
        string deep = string.Concat(Enumerable.Repeat("[", 100_000));
        foreach (string text in new[] { "", "{", "not json", "[]", "3", "null", "\0\0\0", deep, $$"""{ "format": 1, "training": { "a": {{deep}} } }""" })
            AssertRefused("manifest.json is damaged or edited", Edit(Manifest, Encoding.UTF8.GetBytes(text)));
    }

    [Fact]
    public void A_manifest_is_not_read_further_than_one_can_be_long()
    {
        byte[] valid = ZipEntries.Read(saved.Zip, Manifest);
        byte[] bomb = Edit(Manifest, [.. valid, .. Enumerable.Repeat((byte)' ', 50_000_000)]);
        Assert.InRange(bomb.Length, 0, 200_000);
        AssertRefused($"more than {EncoderManifest.MaxLength} characters", bomb);
        AssertRefusedInLittleMemory(bomb);
        _ = Load(new MLContext(), Edit(Manifest, [.. valid, .. Enumerable.Repeat((byte)' ', EncoderManifest.MaxLength - valid.Length)]), out _);
    }

    [Fact]
    public void A_header_of_weights_is_not_read_further_than_one_can_be_long()
    {
        byte[] names = Encoding.UTF8.GetBytes("{" + string.Join(",", Enumerable.Range(0, 500_000).Select(i => $$"""
            "{{i}}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}
            """)) + "}");
        byte[] bomb = Edit(Weights, [.. BitConverter.GetBytes((long)names.Length), .. names]);
        AssertRefused($"more than the {ModelEntries.LongestWeightsHeader} that are read here", bomb);
        AssertRefusedInLittleMemory(bomb);
    }

    [Fact]
    public void Entries_whose_names_point_elsewhere_are_neither_read_nor_written()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory();
        try
        {
            string outside = Path.Combine(folder.FullName, "absolute.txt"), inside = folder.CreateSubdirectory("a").CreateSubdirectory("b").FullName;
            List<KeyValuePair<string, byte[]>> entries = FileMutator.ReadZip(saved.Zip);
            string ours = Path.GetDirectoryName(entries.Single(entry => entry.Key.EndsWith(Manifest, StringComparison.Ordinal)).Key)!;
            foreach (string name in new[] { "../up.txt", "../../up.txt", outside, "..\\up.txt", $"{ours}/../../../up.txt", $"../{Manifest}", $"{ours}/../{Weights}", $"/{ours}/{Manifest}" })
                entries.Add(new(name, "not JSON"u8.ToArray()));
            var ml = new MLContext(2) { TempFilePath = inside };
            ITransformer loaded = Load(ml, FileMutator.WriteZip(entries), out _);
            IDataView data = ml.View(Pictures.Make(3));
            AssertClose(saved.Encoder.Transform(data).Features(), loaded.Transform(data).Features());
            Assert.Equal(["a", "b"], Directory.GetFileSystemEntries(folder.FullName, "*", SearchOption.AllDirectories).Select(path => Path.GetFileName(path)));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_refusal_names_the_entry_and_what_to_do_on_one_line()
    {
        foreach ((string name, byte[] content) in new[] { (Manifest, "{\n\"a\": truth }"u8.ToArray()), (Weights, [1, 2, 3]) })
        {
            string message = LoadError(Edit(name, content)).InnerException!.Message;
            Assert.StartsWith($"The model can't be loaded, because of its entry {name}: ", message, StringComparison.Ordinal);
            Assert.Contains("load an unchanged copy", message, StringComparison.Ordinal);
            Assert.DoesNotContain(message, char.IsControl);
        }
    }

    [Theory]
    [InlineData(0x40, "Unknown file type")] // the signature
    [InlineData(0x4C, "Corrupt file header")] // the version that can read it
    public void An_encoder_of_another_version_is_refused_with_what_to_do(int place, string message)
    {
        List<KeyValuePair<string, byte[]>> entries = FileMutator.ReadZip(saved.Zip);
        string folder = Path.GetDirectoryName(entries.Single(entry => entry.Key.EndsWith(Manifest, StringComparison.Ordinal)).Key)!;
        entries.Single(entry => entry.Key == $"{folder}/Model.key").Value[place]++;
        byte[] zip = FileMutator.WriteZip(entries);
        AssertRefused(message, zip);
        AssertRefused("update the package ContrastiveML", zip);
    }

    [Fact]
    public void Missing_entries_are_named()
    {
        AssertRefused($"no entry {Manifest}", Edit(Manifest, null));
        AssertRefused($"no entry {Weights}", Edit(Weights, null));
    }

    [Fact]
    public void Truncated_or_foreign_weights_are_refused()
    {
        byte[] weights = ZipEntries.Read(saved.Zip, Weights);
        foreach (int keep in new[] { 0, 5, 8, 100, weights.Length / 2, weights.Length - 1 })
            AssertRefused("not a whole safetensors file", Edit(Weights, weights[..keep]));
        AssertRefused("not a whole safetensors file", Edit(Weights, [.. weights, 0]));

        using var other = ImageEncoder.SmallConvNet(5).CreateModule(1, seed: 1);
        using var stream = new MemoryStream();
        SafeTensors.Save(stream, other);
        AssertRefused("doesn't fit the model", Edit(Weights, stream.ToArray()));
    }

    [Fact]
    public void Weights_that_are_no_numbers_load_and_give_features_that_are_none()
    {
        using var module = ImageEncoder.SmallConvNet(4).CreateModule(1, seed: 1);
        using (TorchSharp.torch.no_grad())
            module.parameters().First().fill_(float.NaN);
        using var stream = new MemoryStream();
        SafeTensors.Save(stream, module);
        var ml = new MLContext();
        ITransformer loaded = Load(ml, Edit(Weights, stream.ToArray()), out _);
        Assert.All(loaded.Transform(ml.View(Pictures.Make(3))).Features(), row => Assert.All(row, number => Assert.True(float.IsNaN(number))));
    }

    [Fact]
    public void An_encoder_made_from_a_disposed_one_says_so()
    {
        var ml = new MLContext(4);
        ContrastivePretrainTransformer encoder = Estimator(ml, new SimClrV1()).Untrained(ml.View(Pictures.Make(40)));
        IEstimator<ContrastivePretrainTransformer> estimator = encoder.AsEstimator();
        encoder.Dispose();
        Assert.Throws<ObjectDisposedException>(() => estimator.Fit(ml.View(Pictures.Make(3))));
    }

    // ML.NET makes the transformer by reflection and passes on what that throws: the message is the inner exception's.
    private static void AssertRefused(string message, byte[] zip)
    {
        Exception error = Assert.IsType<TargetInvocationException>(LoadError(zip)).InnerException!;
        Assert.Contains(message, Assert.IsType<InvalidDataException>(error).Message, StringComparison.Ordinal);
    }

    // The thread's own; HostileFilesTests measures the process's.
    private static void AssertRefusedInLittleMemory(byte[] zip)
    {
        _ = LoadError(zip);
        long before = GC.GetAllocatedBytesForCurrentThread();
        _ = LoadError(zip);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 8 << 20);
    }

    private static Exception LoadError(byte[] zip) => Assert.ThrowsAny<Exception>(() => Load(new MLContext(), zip, out _));

    private static ITransformer Load(MLContext ml, byte[] zip, out DataViewSchema schema)
    {
        using var stream = new MemoryStream(zip);
        return ml.Model.Load(stream, out schema);
    }

    private static byte[] Save(MLContext ml, ITransformer model, DataViewSchema? inputSchema)
    {
        using var stream = new MemoryStream();
        ml.Model.Save(model, inputSchema, stream);
        return stream.ToArray();
    }

    private static ContrastivePretrainEstimator Estimator(MLContext ml, ContrastiveMethod method, TrainingOptions? training = null)
        => ml.Transforms.ContrastivePretrain(
            "Features", "Image", method, ImageEncoder.SmallConvNet(4), training ?? new TrainingOptions { Steps = 2, BatchSize = 32 }, Pictures.Shape());

    private byte[] Edit(string name, byte[]? content) => ZipEntries.Replace(saved.Zip, name, content);

    private static void AssertClose(float[][] expected, float[][] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        foreach ((float[] wanted, float[] given) in expected.Zip(actual))
            Assert.All(wanted.Zip(given), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
    }

    private static string Show(DataViewSchema schema)
        => string.Join("\n", schema.Select(column => $"{column.Name} {column.Type} [{string.Join(", ", column.Annotations.Schema.Select(each => $"{each.Name} {each.Type}"))}]"));

    private sealed class Prediction
    {
        public float[] Features { get; set; } = [];
    }

    public sealed class Saved : IDisposable
    {
        public Saved()
        {
            var ml = new MLContext(1);
            IDataView data = ml.View(Pictures.Make(40));
            Encoder = Estimator(ml, new SimClrV1()).Fit(data);
            Zip = Save(ml, Encoder, data.Schema);
        }

        public ContrastivePretrainTransformer Encoder { get; }

        public byte[] Zip { get; }

        public void Dispose() => Encoder.Dispose();
    }
}
