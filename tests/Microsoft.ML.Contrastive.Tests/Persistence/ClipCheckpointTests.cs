using System.Text.Json.Nodes;
using Microsoft.ML.Contrastive.Tests.KnownAnswers;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive.Tests.Persistence;

public sealed class ClipCheckpointTests : IDisposable
{
    private static readonly ClipConfig s_heads = new() { ImageHeads = TinyClip.Heads, TextHeads = TinyClip.Heads };
    private readonly string _folder = Directory.CreateTempSubdirectory("clip-checkpoint").FullName;

    public ClipCheckpointTests() => NativeTorch.EnsureLoaded();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(ClipScheme.OpenAIFile)]
    [InlineData(ClipScheme.OpenClipFolder)]
    [InlineData(ClipScheme.HuggingFaceFolder)]
    [InlineData(ClipScheme.HuggingFaceShards)]
    public void The_tiny_model_gives_the_reference_values_in_every_naming_scheme(ClipScheme scheme)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        string path = ClipFiles.Write(_folder, scheme, TinyClip.Tensors());
        using ClipCheckpoint checkpoint = ClipCheckpoint.Open(path, scheme == ClipScheme.OpenAIFile ? s_heads : null);
        Assert.Equal(TinyClip.ImageSize, checkpoint.ImageSize);
        Assert.Equal(
            new ImageTextEncoder(
                new ClipVisionTransformer { Patch = 2, Width = 4, Depth = 1, Heads = 2, EmbeddingSize = 3 },
                new ClipTextTransformer { VocabularySize = 20, ContextLength = 6, Width = 4, Depth = 2, Heads = 2, EmbeddingSize = 3 }),
            checkpoint.Shape);
        Assert.Equal(scheme == ClipScheme.OpenAIFile ? ClipConfig.Published.Mean : [0.5f, 0.25f, 0.125f], checkpoint.Normalization.Mean);
        Assert.Equal(ClipConfig.Published.Deviation, checkpoint.Normalization.Deviation);

        using ImageTextModule module = Load(checkpoint);
        Tensor expectedImages = TinyClip.Case.Expected.GetProperty("image_features").ToTensor(), expectedTexts = TinyClip.Case.Expected.GetProperty("text_features").ToTensor();
        TensorAssert.Equal(expectedImages, module.Images(TinyClip.Pictures), 1e-9);
        TensorAssert.Equal(expectedTexts, module.Texts(TinyClip.TokenIds), 1e-9);
        TensorAssert.Equal(tensor(Math.Log(1 / 0.07)), module.LogScale, 1e-12);
    }

    [Fact]
    public void The_residual_network_computes_what_the_papers_description_says_from_OpenAIs_names()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var shape = new ImageTextEncoder(
            new ClipResNet { Blocks = new(2, 1, 1, 1), Width = 4, Heads = 2, EmbeddingSize = 6 },
            new ClipTextTransformer { VocabularySize = 20, ContextLength = 6, Width = 64, Depth = 1, Heads = 1, EmbeddingSize = 6 });
        Dictionary<string, Tensor> w = ClipFiles.Random(shape, 64, seed: 3);
        w["visual.layer1.0.bn3.weight"] = w["visual.layer1.0.bn3.weight"].add(1);
        w["visual.bn1.num_batches_tracked"] = tensor(3L);
        string path = ClipFiles.Write(_folder, ClipScheme.OpenAIFile, w, imageSize: 64);
        using ClipCheckpoint checkpoint = ClipCheckpoint.Open(path);
        Assert.Equal(shape, checkpoint.Shape);
        Assert.Equal(64, checkpoint.ImageSize);
        using ImageTextModule module = Load(checkpoint);
        Tensor pictures = TinyClip.Sines(0.37, 2, 3, 64, 64);
        TensorAssert.Equal(Written(w, pictures, heads: 2), module.Images(pictures), 1e-10);
    }

    public static TheoryData<ImageTextEncoder> Shapes => new(
        new ImageTextEncoder(new ClipVisionTransformer { Patch = 8, Width = 16, Depth = 2, Heads = 2, EmbeddingSize = 12 }, Text(12)),
        new ImageTextEncoder(new ClipResNet { Blocks = new(2, 1, 1, 2), Width = 4, Heads = 2, EmbeddingSize = 6 }, Text(6)) { HasBias = true },
        new ImageTextEncoder(ImageEncoder.SmallConvNet(4), TextEncoder.Small(300) with { Width = 16, Depth = 1, Heads = 2 }) { EmbeddingSize = 7 });

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Networks_tell_how_many_numbers_they_have_without_being_made(ImageTextEncoder shape)
    {
        shape.Validate();
        using var generator = new Generator(1);
        using ImageTextModule module = shape.Build(3, 64, 64, generator);
        Assert.Equal(module.state_dict().Values.Sum(value => value.numel()), shape.CountWeights(3, 64, 64));
    }

    [Fact]
    public void Every_tensor_is_accounted_for_and_every_fault_is_named()
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> tensors = TinyClip.Tensors();
        tensors.Remove("visual.transformer.resblocks.0.mlp.c_fc.bias");
        tensors["visual.proj"] = zeros(5, 3);
        tensors["visual.head.weight"] = zeros(2);
        tensors["ln_final.bias"] = zeros(4, ScalarType.Int64);
        Refused(
            ClipFiles.Write(_folder, ClipScheme.OpenAIFile, tensors), "lacks 'visual.transformer.resblocks.0.mlp.c_fc.bias' [16]",
            "'visual.proj' is [5, 3], where the other tensors ask for [4, 3]", "'visual.head.weight' [2] is no tensor", "'ln_final.bias' is I64");
    }

    [Theory]
    [InlineData("visual.class_embedding", "lacks 'visual.class_embedding'")]
    [InlineData("token_embedding.weight", "lacks 'token_embedding.weight'")]
    [InlineData("visual.conv1.weight", "no CLIP model of a kind that is known")]
    [InlineData("logit_scale", "lacks 'logit_scale' []")]
    public void A_model_without_what_its_sizes_are_told_by_is_refused(string missing, string message)
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> tensors = TinyClip.Tensors();
        tensors.Remove(missing);
        Refused(ClipFiles.Write(_folder, ClipScheme.OpenAIFile, tensors), message);
    }

    [Theory]
    [InlineData(ClipScheme.HuggingFaceFolder, "model_type", "\"bert\"", "config.json", "'bert', where \"clip\" is expected, which is not supported")]
    [InlineData(ClipScheme.HuggingFaceFolder, "vision_config", """{ "image_size": 8, "num_attention_heads": 2 }""", "pictures of 8 pixels", "for 4")]
    [InlineData(ClipScheme.HuggingFaceFolder, "vision_config", """{ "num_attention_heads": 3 }""", "multiple of its 3 heads", "model.safetensors")]
    [InlineData(ClipScheme.HuggingFaceFolder, "text_config", """{ "hidden_act": "relu" }""", "hidden_act 'relu'", "config.json")]
    [InlineData(ClipScheme.HuggingFaceFolder, "text_config", """{ "layer_norm_eps": 0.1 }""", "epsilon", "config.json")]
    [InlineData(ClipScheme.HuggingFaceFolder, "text_config", """{ "eos_token_id": 7, "vocab_size": 20 }""", "closing token 7", "config.json")]
    [InlineData(ClipScheme.HuggingFaceFolder, "text_config", "[]", "must be an object", "config.json")]
    [InlineData(ClipScheme.OpenClipFolder, "preprocess_cfg", """{ "resize_mode": "squash" }""", "resize_mode 'squash'", "open_clip_config.json")]
    [InlineData(ClipScheme.OpenClipFolder, "preprocess_cfg", """{ "mean": [1, 2] }""", "three numbers", "open_clip_config.json")]
    [InlineData(ClipScheme.OpenClipFolder, "model_cfg", """{ "vision_cfg": { "timm_model_name": "x" } }""", "timm_model_name", "open_clip_config.json")]
    [InlineData(ClipScheme.OpenClipFolder, "model_cfg", """{ "vision_cfg": { "head_width": 0 } }""", "head width of 0", "open_clip_config.json")]
    public void A_configuration_of_another_model_is_refused(ClipScheme scheme, string setting, string value, string message, string file)
    {
        using var scope = NewDisposeScope();
        Refused(ClipFiles.Write(_folder, scheme, TinyClip.Tensors(), change: config => config[setting] = JsonNode.Parse(value)), message, file);
    }

    [Theory]
    [InlineData("""{ "do_center_crop": false }""", "do_center_crop")]
    [InlineData("""{ "do_normalize": false }""", "do_normalize")]
    [InlineData("""{ "size": { "height": 4, "width": 4 } }""", "size other than the model's 4 pixels of the short side")]
    [InlineData("""{ "size": 5 }""", "size other")]
    [InlineData("""{ "size": { "shortest_edge": 4 }, "crop_size": { "height": 4, "width": 3 } }""", "crop_size other")]
    [InlineData("""{ "resample": 2 }""", "resample 2")]
    public void Preprocessing_that_is_not_CLIPs_is_refused(string preprocessor, string message)
    {
        using var scope = NewDisposeScope();
        string path = ClipFiles.Write(_folder, ClipScheme.HuggingFaceFolder, TinyClip.Tensors());
        File.WriteAllText(Path.Combine(path, "preprocessor_config.json"), preprocessor);
        Refused(path, message, "preprocessor_config.json");
        File.WriteAllText(Path.Combine(path, "preprocessor_config.json"), """{ "do_resize": true, "size": { "shortest_edge": 4 }, "do_center_crop": true, "crop_size": { "height": 4, "width": 4 }, "resample": 3 }""");
        using ClipCheckpoint taken = ClipCheckpoint.Open(path);
    }

    [Theory]
    [InlineData("open_clip_pytorch_model.safetensors")]
    [InlineData("model.safetensors")]
    [InlineData("of-another-name.safetensors")]
    public void The_weights_of_open_clip_are_found_under_the_names_that_it_looks_for(string name)
    {
        using var scope = NewDisposeScope();
        string path = ClipFiles.Write(_folder, ClipScheme.OpenClipFolder, TinyClip.Tensors()), own = Path.Combine(path, "open_clip_model.safetensors");
        File.Move(own, Path.Combine(path, name));
        using (ClipCheckpoint found = ClipCheckpoint.Open(path))
            Assert.Equal(2, ((ClipVisionTransformer)found.Shape.Image).Heads);
        File.Delete(Path.Combine(path, name));
        Refused(path, "open_clip_model.safetensors does not exist");
    }

    [Fact]
    public void Where_a_folder_holds_a_model_in_both_forms_the_one_that_is_whole_is_read()
    {
        using var scope = NewDisposeScope();
        string path = ClipFiles.Write(_folder, ClipScheme.HuggingFaceFolder, TinyClip.Tensors());
        ClipFiles.Write(path, ClipScheme.OpenClipFolder, TinyClip.Tensors());
        using (ClipCheckpoint both = ClipCheckpoint.Open(path))
            Load(both).Dispose();
        File.Delete(Path.Combine(path, "open_clip_model.safetensors"));
        using ClipCheckpoint one = ClipCheckpoint.Open(path);
        Load(one).Dispose();
    }

    [Fact]
    public void A_scale_may_be_a_number_or_a_list_of_one()
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> tensors = TinyClip.Tensors();
        tensors["logit_scale"] = tensors["logit_scale"].reshape(1);
        using ClipCheckpoint checkpoint = ClipCheckpoint.Open(ClipFiles.Write(_folder, ClipScheme.OpenClipFolder, tensors));
        using ImageTextModule module = Load(checkpoint);
        TensorAssert.Equal(tensor(Math.Log(1 / 0.07)), module.LogScale, 1e-12);
    }

    [Fact]
    public void A_file_that_may_hold_code_is_refused_with_the_way_to_convert_it()
    {
        string path = Path.Combine(_folder, "model.pt");
        File.WriteAllBytes(path, [.. "PK"u8, 3, 4, .. new byte[100]]); // as torch.save begins
        Refused(path, "safetensors.torch.save_file", "model.pt");
    }

    [Theory]
    [InlineData("""{ "weight_map": { "a": "../outside.safetensors" } }""", "does not lie beside it")]
    [InlineData("""{ "weight_map": { "a": "gone.safetensors" } }""", "does not exist")]
    [InlineData("""{ "weight_map": { "a": "model-00001.safetensors" } }""", "promises the tensor 'a'")]
    [InlineData("""{ "weight_map": { "a": "model-00001.safetensors", "a": "model-00001.safetensors" } }""", "damaged")]
    [InlineData("""{ "weight_map": { "a": 3 } }""", "must be text")]
    [InlineData("""{ "weight_map": 3 }""", "must be an object")]
    [InlineData("{", "damaged")]
    public void An_index_that_is_not_right_is_refused(string index, string message)
    {
        using var scope = NewDisposeScope();
        string path = ClipFiles.Write(_folder, ClipScheme.HuggingFaceShards, TinyClip.Tensors());
        File.WriteAllText(Path.Combine(path, "model.safetensors.index.json"), index);
        Refused(path, message, "index.json");
    }

    [Fact]
    public void A_shard_that_holds_what_another_has_and_a_folder_without_a_model_are_refused()
    {
        using var scope = NewDisposeScope();
        string path = ClipFiles.Write(_folder, ClipScheme.HuggingFaceShards, TinyClip.Tensors());
        File.Copy(Path.Combine(path, "model-00002.safetensors"), Path.Combine(path, "model-00001.safetensors"), overwrite: true);
        Refused(path, "a second time");
        Refused(Directory.CreateDirectory(Path.Combine(_folder, "empty")).FullName, "neither config.json nor open_clip_config.json");
        Refused(Path.Combine(_folder, "pytorch_model.bin"), "safetensors alone");
    }

    [Fact]
    public void A_vocabulary_of_another_size_than_the_published_needs_its_tokenizer()
    {
        using var scope = NewDisposeScope();
        using ClipCheckpoint checkpoint = ClipCheckpoint.Open(ClipFiles.Write(_folder, ClipScheme.OpenClipFolder, TinyClip.Tensors()));
        Assert.Contains("vectors for 20 tokens", Assert.Throws<InvalidDataException>(checkpoint.ReadTokenizer).Message, StringComparison.Ordinal);
    }

    private static ClipTextTransformer Text(int size) => new() { VocabularySize = 20, ContextLength = 6, Width = 8, Depth = 1, Heads = 2, EmbeddingSize = size };

    private static ImageTextModule Load(ClipCheckpoint checkpoint)
    {
        using var generator = new Generator(1);
        ImageTextModule module = checkpoint.Shape.Build(3, checkpoint.ImageSize, checkpoint.ImageSize, generator);
        module.to(ScalarType.Float64);
        module.eval();
        checkpoint.LoadInto(module);
        return module;
    }

    private static void Refused(string path, params string[] messages)
    {
        InvalidDataException error = Assert.Throws<InvalidDataException>(() =>
        {
            using ClipCheckpoint checkpoint = ClipCheckpoint.Open(path, path.EndsWith("clip.safetensors", StringComparison.Ordinal) ? s_heads : null);
            using ImageTextModule module = Load(checkpoint);
        });
        Assert.All(messages, message => Assert.Contains(message, error.Message, StringComparison.Ordinal));
    }

    /// <summary>The network once more, as the released code's description has it, place by place in the pooling.</summary>
    private static Tensor Written(Dictionary<string, Tensor> w, Tensor pictures, int heads)
    {
        Tensor x = pictures;
        for (int i = 1; i <= 3; i++)
            x = relu(Norm(conv2d(x, W($"conv{i}.weight"), null, [i == 1 ? 2 : 1, i == 1 ? 2 : 1], [1, 1]), $"bn{i}"));
        x = avg_pool2d(x, 2);
        for (int stage = 1; stage <= 4; stage++)
            for (int block = 0; w.ContainsKey($"visual.layer{stage}.{block}.conv1.weight"); block++)
            {
                string at = $"layer{stage}.{block}.";
                long stride = stage > 1 && block == 0 ? 2 : 1;
                Tensor y = relu(Norm(conv2d(x, W(at + "conv1.weight")), at + "bn1"));
                y = relu(Norm(conv2d(y, W(at + "conv2.weight"), null, [1, 1], [1, 1]), at + "bn2"));
                y = Norm(conv2d(stride > 1 ? avg_pool2d(y, 2) : y, W(at + "conv3.weight")), at + "bn3");
                Tensor shortcut = w.ContainsKey($"visual.{at}downsample.0.weight")
                    ? Norm(conv2d(stride > 1 ? avg_pool2d(x, 2) : x, W(at + "downsample.0.weight")), at + "downsample.1") : x;
                x = relu(y + shortcut);
            }
        Tensor places = x.flatten(2), tokens = cat([places.mean([2], keepdim: true), places], 2).permute(2, 0, 1) + W("attnpool.positional_embedding").unsqueeze(1);
        long size = tokens.shape[2] / heads;
        Tensor q = linear(tokens[0], W("attnpool.q_proj.weight"), W("attnpool.q_proj.bias")), k = linear(tokens, W("attnpool.k_proj.weight"), W("attnpool.k_proj.bias")), v = linear(tokens, W("attnpool.v_proj.weight"), W("attnpool.v_proj.bias"));
        var mixed = new List<Tensor>();
        for (int head = 0; head < heads; head++)
        {
            Tensor share = (q.narrow(1, head * size, size).unsqueeze(0) * k.narrow(2, head * size, size)).sum(2).div(Math.Sqrt(size)).softmax(0);
            mixed.Add((share.unsqueeze(2) * v.narrow(2, head * size, size)).sum([0L]));
        }
        return linear(cat(mixed, 1), W("attnpool.c_proj.weight"), W("attnpool.c_proj.bias"));

        Tensor W(string name) => w["visual." + name];

        Tensor Norm(Tensor input, string name) => batch_norm(input, W(name + ".running_mean"), W(name + ".running_var"), W(name + ".weight"), W(name + ".bias"), false, 0.1, 1e-5);
    }
}
