using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Persistence;

/// <summary>Files as torchvision, timm and training programs write them: the imported encoder computes what theirs does.</summary>
public sealed class EncoderImportTests : IDisposable
{
    private const int Side = 64;
    private static readonly int[] s_eighteen = [2, 2, 2, 2], s_fifty = [3, 4, 6, 3];
    private static readonly VisionTransformer s_transformer = new() { Patch = 16, Width = 24, Depth = 2, Heads = 3, Positions = PositionEmbedding.Learned };
    private readonly string _folder = Directory.CreateTempSubdirectory("import").FullName;
    private readonly DisposeScope _scope;
    private readonly ForeignNetworks _networks;

    public EncoderImportTests()
    {
        NativeTorch.EnsureLoaded();
        (_scope, _networks) = (NewDisposeScope(), new ForeignNetworks(seed: 3));
    }

    public void Dispose()
    {
        _networks.Dispose();
        _scope.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(18, "")]
    [InlineData(50, "")]
    [InlineData(18, "module.encoder_q.")]
    [InlineData(50, "backbone.")]
    [InlineData(18, "encoder.")]
    public void A_residual_network_computes_what_torchvisions_does(int depth, string prefix)
    {
        (int[] blocks, bool bottleneck) = depth == 50 ? (s_fifty, true) : (s_eighteen, false);
        Dictionary<string, Tensor> w = _networks.ResNet(blocks, bottleneck, width: 8);
        ImportedEncoder imported = Import(new ResNet { Depth = depth, Width = 8 }, w, prefix);
        Assert.Equal(prefix, imported.Prefix);
        TensorAssert.Equal(ForeignNetworks.ResNet(w, blocks, bottleneck, Normalised()), Features(imported), depth == 50 ? 5e-4 : 1e-4); // fifty layers round more: norms stand apart there, and are taken in here

        // Every tensor stands in the table once: what was taken, and what was left aside.
        Assert.Equal(w.Keys.Select(name => prefix + name).Order(), imported.Tensors.Select(tensor => tensor.NameInFile).Order());
        Assert.Equal(
            w.Keys.Where(name => name.StartsWith("fc.", StringComparison.Ordinal) || name.EndsWith("tracked", StringComparison.Ordinal)).Select(name => prefix + name).Order(),
            imported.Tensors.Where(tensor => tensor.Status == ImportStatus.Unused).Select(tensor => tensor.NameInFile).Order());
        ImportedTensor first = imported.Tensors.Single(tensor => tensor.Name == "conv1.weight");
        Assert.Equal((ImportStatus.Copied, prefix + "conv1.weight"), (first.Status, first.NameInFile));
        Assert.Equal([8L, 3, 7, 7], first.Shape);
        Assert.Contains($"'{prefix}conv1.weight'", imported.ToString(), StringComparison.Ordinal);
        Assert.EndsWith(" Copied", imported.ToString(), StringComparison.Ordinal);
        imported.Transformer.Dispose();
    }

    [Fact]
    public void Children_in_a_sequence_are_found_by_their_numbers()
    {
        Dictionary<string, Tensor> w = _networks.ResNet(s_eighteen, bottleneck: false, width: 8);
        (string, string)[] numbers = [("conv1.", "0."), ("bn1.", "1."), ("layer1.", "4."), ("layer2.", "5."), ("layer3.", "6."), ("layer4.", "7.")];
        var renamed = w.Where(pair => !pair.Key.StartsWith("fc.", StringComparison.Ordinal)).ToDictionary(
            pair => numbers.Where(each => pair.Key.StartsWith(each.Item1, StringComparison.Ordinal)).Select(each => each.Item2 + pair.Key[each.Item1.Length..]).Single(),
            pair => pair.Value);
        using ContrastivePretrainTransformer encoder = Import(new ResNet { Width = 8 }, renamed, "backbone.").Transformer;
        TensorAssert.Equal(ForeignNetworks.ResNet(w, s_eighteen, false, Normalised()), Features(encoder), 1e-4);
    }

    [Theory]
    [InlineData(false, "")]
    [InlineData(true, "")]
    [InlineData(true, "module.backbone.")]
    public void A_vision_transformer_computes_what_torchvisions_does_under_either_name(bool timm, string prefix)
    {
        Dictionary<string, Tensor> w = _networks.Transformer(width: 24, depth: 2, patch: 16, Side);
        ImportedEncoder imported = Import(s_transformer, timm ? ForeignNetworks.UnderTimmsNames(w) : w, prefix);
        TensorAssert.Equal(ForeignNetworks.Transformer(w, depth: 2, heads: 3, Normalised()), Features(imported), 1e-4);
        Assert.Equal(2, imported.Tensors.Count(tensor => tensor.Status == ImportStatus.Unused)); // the classifier
        imported.Transformer.Dispose();
    }

    [Theory]
    [InlineData(PositionEmbedding.Learned)]
    [InlineData(PositionEmbedding.SinCos)]
    public void Positions_of_another_grid_are_interpolated(PositionEmbedding positions)
    {
        Dictionary<string, Tensor> w = _networks.Transformer(width: 24, depth: 2, patch: 16, side: 96);
        ImportedEncoder imported = Import(s_transformer with { Positions = positions }, w);
        ImportedTensor table = imported.Tensors.Single(tensor => tensor.Name == "pos_embed");
        Assert.Equal(ImportStatus.Interpolated, table.Status);
        Assert.Equal([1L, 17, 24], table.Shape);
        Tensor whole = w["encoder.pos_embedding"], grid = whole[.., 1.., ..].transpose(1, 2).reshape(1, 24, 6, 6);
        Tensor small = nn.functional.interpolate(grid, [4, 4], mode: InterpolationMode.Bicubic, align_corners: false);
        w["encoder.pos_embedding"] = cat([whole[.., ..1, ..], small.reshape(1, 24, 16).transpose(1, 2)], 1);
        TensorAssert.Equal(ForeignNetworks.Transformer(w, depth: 2, heads: 3, Normalised()), Features(imported), 1e-4);
        imported.Transformer.Dispose();
    }

    [Theory]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float64)]
    public void Weights_of_other_precision_are_converted(ScalarType kind)
    {
        Dictionary<string, Tensor> w = _networks.ResNet(s_eighteen, false, width: 8);
        var converted = w.ToDictionary(pair => pair.Key, pair => pair.Value.is_floating_point() ? pair.Value.to(kind) : pair.Value);
        using ContrastivePretrainTransformer encoder = Import(new ResNet { Width = 8 }, converted).Transformer;
        var rounded = converted.ToDictionary(pair => pair.Key, pair => pair.Value.to(ScalarType.Float32));
        TensorAssert.Equal(ForeignNetworks.ResNet(rounded, s_eighteen, false, Normalised()), Features(encoder), 1e-4);
    }

    [Fact]
    public void Of_two_networks_in_a_file_it_must_be_said_which_is_meant()
    {
        Dictionary<string, Tensor> query = _networks.ResNet(s_eighteen, false, 8), key = _networks.ResNet(s_eighteen, false, 8);
        var both = query.Select(pair => ("module.encoder_q." + pair.Key, pair.Value)).Concat(key.Select(pair => ("module.encoder_k." + pair.Key, pair.Value)))
            .Append(("module.queue", zeros(8, 16))).ToDictionary();
        string message = Assert.Throws<InvalidDataException>(() => Import(new ResNet { Width = 8 }, both)).Message;
        Assert.Contains("'module.encoder_q.'", message, StringComparison.Ordinal);
        Assert.Contains("'module.encoder_k.'", message, StringComparison.Ordinal);
        Assert.Contains("Prefix", message, StringComparison.Ordinal);

        using ContrastivePretrainTransformer encoder = Import(new ResNet { Width = 8 }, both, change: options => options with { Prefix = "module.encoder_k." }).Transformer;
        TensorAssert.Equal(ForeignNetworks.ResNet(key, s_eighteen, false, Normalised()), Features(encoder), 1e-4);
    }

    public static TheoryData<ImageEncoder, string> Others => new()
    {
        { new ResNet { Width = 16 }, "'conv1.weight' is [8, 3, 7, 7] in the file, [16, 3, 7, 7] in the encoder" },
        { new ResNet { Width = 8, Stem = Stem.Small }, "'conv1.weight' is [8, 3, 7, 7] in the file, [8, 3, 3, 3] in the encoder" },
        { new ResNet { Width = 8, Depth = 34 }, "it has no 'layer1.2.conv1.weight' [8, 8, 3, 3]" },
        { new ResNet { Width = 8, Depth = 50 }, "'layer1.0.conv1.weight' is [8, 8, 3, 3] in the file, [8, 8, 1, 1] in the encoder" },
        { ImageEncoder.ViTTiny(), "none of its names" },
    };

    [Theory]
    [MemberData(nameof(Others))]
    public void A_file_of_another_encoder_is_refused_with_what_differs_and_what_to_do(ImageEncoder encoder, string named)
    {
        string message = Assert.Throws<InvalidDataException>(() => Import(encoder, _networks.ResNet(s_eighteen, false, 8))).Message;
        Assert.Contains(named, message, StringComparison.Ordinal);
        Assert.Contains("Choose the encoder that the file was made for", message, StringComparison.Ordinal);
        Assert.Contains("file.safetensors", message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_would_be_left_out_of_the_middle_is_refused()
    {
        string deeper = Assert.Throws<InvalidDataException>(() => Import(new ResNet { Width = 8 }, _networks.ResNet([3, 4, 6, 3], false, 8))).Message;
        Assert.Contains("'layer1.2.conv1.weight' [8, 8, 3, 3] would be left out of the network's middle", deeper, StringComparison.Ordinal);
        Dictionary<string, Tensor> scaled = ForeignNetworks.UnderTimmsNames(_networks.Transformer(24, 2, 16, Side));
        scaled["blocks.0.ls1.gamma"] = ones(24);
        Assert.Contains("'blocks.0.ls1.gamma'", Assert.Throws<InvalidDataException>(() => Import(s_transformer, scaled)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Other_kinds_and_tables_that_are_no_grid_are_refused()
    {
        Dictionary<string, Tensor> w = _networks.Transformer(24, 2, 16, Side);
        w["encoder.ln.bias"] = zeros(24, ScalarType.Int64);
        w["encoder.pos_embedding"] = zeros(1, 12, 24);
        string message = Assert.Throws<InvalidDataException>(() => Import(s_transformer, w)).Message;
        Assert.Contains("'encoder.ln.bias' is I64", message, StringComparison.Ordinal);
        Assert.Contains("'encoder.pos_embedding' is [1, 12, 24] in the file, [1, 17, 24] in the encoder", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_part_that_is_missing_may_keep_its_first_values_where_that_is_said()
    {
        Dictionary<string, Tensor> w = _networks.ResNet(s_eighteen, false, 8);
        foreach (string name in w.Keys.Where(name => name.StartsWith("layer4.", StringComparison.Ordinal)).ToArray())
            w.Remove(name);
        ImportedEncoder imported = Import(new ResNet { Width = 8 }, w, change: options => options with { AllowMissing = true });
        Assert.All(imported.Tensors, tensor => Assert.Equal(tensor.Name?.StartsWith("layer4.", StringComparison.Ordinal) == true, tensor.Status == ImportStatus.Missing));
        Assert.Contains(imported.Tensors, tensor => tensor.Status == ImportStatus.Missing);
        Dictionary<string, Tensor> state = imported.Transformer.Weights.Module.state_dict();
        TensorAssert.Equal(w["layer3.1.conv2.weight"], state["layer3.1.conv2.weight"], 0);
        Assert.True(state["layer4.0.conv1.weight"].std().ToDouble() > 0.01); // random, not zero
        imported.Transformer.Dispose();
    }

    [Fact]
    public void It_is_saved_and_loaded_and_is_where_training_may_start()
    {
        Dictionary<string, Tensor> w = _networks.ResNet(s_eighteen, false, width: 16);
        using ContrastivePretrainTransformer encoder = Import(new ResNet { Width = 16 }, w).Transformer;
        var ml = new MLContext(1);
        IDataView data = View(ml);
        using var stream = new MemoryStream();
        ml.Model.Save(encoder, data.Schema, stream);
        stream.Position = 0;
        var loaded = Assert.IsAssignableFrom<ITransformer>(new MLContext().Model.Load(stream, out _));
        Assert.Equal(encoder.Transform(data).Features(), loaded.Transform(data).Features());
        Assert.Contains("\"imported\"", encoder.TrainingRecord, StringComparison.Ordinal);

        using ContrastivePretrainTransformer further = ml.Transforms.ContrastivePretrain(
            "Features", "Image", new SimClrV1 { Optimizer = new Sgd(), LearningRate = new(1e-9, Scaling: RateScaling.None) }, new ResNet { Width = 16 },
            new TrainingOptions { Steps = 1, BatchSize = 4 }, new ImageShape(Side, Side, 3)).Fit(data, encoder);
        TensorAssert.Equal(w["layer4.1.conv2.weight"], further.Weights.Module.state_dict()["layer4.1.conv2.weight"], 1e-6);
        Assert.Equal(encoder.Weights.Manifest.Pictures().Normalization.Mean, further.Weights.Manifest.Pictures().Normalization.Mean);
    }

    [Fact]
    public void Bad_settings_are_named()
    {
        var good = new EncoderImportOptions { Path = "none.safetensors", Encoder = ImageEncoder.ResNet18(), OutputColumnName = "Features" };
        var ml = new MLContext(1);
        Assert.Contains("Deviation", Assert.Throws<ArgumentException>(() => ml.Model.ImportEncoder(good with { Deviation = [1, 1, 0] })).Message, StringComparison.Ordinal);
        Assert.Contains("Mean must have 1 number", Assert.Throws<ArgumentException>(() => ml.Model.ImportEncoder(good with { ImageShape = new(64, 64, 1) })).Message, StringComparison.Ordinal);
        Assert.Contains("ImageSize", Assert.Throws<ArgumentOutOfRangeException>(() => ml.Model.ImportEncoder(good with { ImageSize = 16 })).Message, StringComparison.Ordinal);
        Assert.Contains("patches", Assert.Throws<ArgumentException>(() => ml.Model.ImportEncoder(good with { Encoder = ImageEncoder.ViTTiny(), ImageSize = 100 })).Message, StringComparison.Ordinal);
        Assert.Contains("none.safetensors", Assert.Throws<FileNotFoundException>(() => ml.Model.ImportEncoder(good)).Message, StringComparison.Ordinal);
    }

    private ImportedEncoder Import(ImageEncoder encoder, Dictionary<string, Tensor> weights, string prefix = "", Func<EncoderImportOptions, EncoderImportOptions>? change = null)
    {
        string path = Path.Combine(_folder, "file.safetensors");
        SafeTensors.Save(path, weights.Select(pair => (prefix + pair.Key, pair.Value)));
        var options = new EncoderImportOptions
        {
            Path = path, Encoder = encoder, OutputColumnName = "Features", InputColumnName = "Image", ImageShape = new ImageShape(Side, Side, 3),
        };
        return new MLContext(1).Model.ImportEncoder(change is null ? options : change(options));
    }

    private static PictureRow[] Rows()
    {
        var random = new Random(5);
        return [.. Enumerable.Range(0, 4).Select(_ =>
        {
            var row = new PictureRow { Image = new byte[3 * Side * Side] };
            random.NextBytes(row.Image);
            return row;
        })];
    }

    private static IDataView View(MLContext ml)
    {
        SchemaDefinition schema = SchemaDefinition.Create(typeof(PictureRow));
        schema[nameof(PictureRow.Image)].ColumnType = new VectorDataViewType(NumberDataViewType.Byte, 3 * Side * Side);
        return ml.Data.LoadFromEnumerable(Rows(), schema);
    }

    /// <summary>The rows as torchvision's programs feed them.</summary>
    private static Tensor Normalised()
    {
        Tensor pixels = stack(Rows().Select(row => tensor(row.Image).reshape(3, Side, Side).to(ScalarType.Float32) / 255));
        return (pixels - tensor(new[] { 0.485f, 0.456f, 0.406f }).view(3, 1, 1)) / tensor(new[] { 0.229f, 0.224f, 0.225f }).view(3, 1, 1);
    }

    private static Tensor Features(ImportedEncoder imported) => Features(imported.Transformer);

    private static Tensor Features(ContrastivePretrainTransformer encoder)
        => stack(encoder.Transform(View(new MLContext(1))).Features().Select(row => tensor(row)));
}
