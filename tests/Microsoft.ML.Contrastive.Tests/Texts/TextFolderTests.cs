using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.ML.Contrastive.Tests.Tokenizers;
using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Texts;

/// <summary>Published models in folders: read, taken as they are, trained further, written.</summary>
public sealed class TextFolderTests : IDisposable
{
    private static readonly string[] s_vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "on", "a", "mat", "##s", "dog", "ran"];
    private static readonly string[] s_texts = ["the cat sat on the mat", "a dog ran", "the dogs sat on a cat, unknown"];
    private readonly string _folder = Directory.CreateTempSubdirectory("text-folder-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string> Kinds => ["bert", "roberta", "distilbert", "mpnet"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Each_kind_of_model_gives_the_vectors_of_its_network(string kind)
    {
        TextTransformer shape = Shape(kind);
        using TextNetwork network = MakeNetwork(shape);
        WriteModel(kind, shape, network, prefix: kind == "bert" ? "bert." : "", extra: ("cls.predictions.bias", zeros(14)));
        using SentenceEmbeddingTransformer encoder = Open();
        Assert.Equal(shape, encoder.Encoder);
        AssertSame(Expected(network, encoder), encoder.Embed(s_texts, Token));
    }

    [Theory]
    [InlineData("sentence_transformers.models.", "")]
    [InlineData("sentence_transformers.sentence_transformer.modules.pooling.", "sentence_transformers.base.modules.dense.")]
    public void Modules_behind_the_transformer_are_applied_whatever_version_wrote_them(string style, string denseStyle)
    {
        TextTransformer shape = Shape("bert") with { Pooling = TextPooling.Cls | TextPooling.Mean, DenseSize = 5, Normalizes = true, TokenLimit = 6 };
        using TextNetwork network = MakeNetwork(shape);
        WriteModel("bert", shape, network);
        bool isOld = denseStyle.Length == 0;
        WriteJson("modules.json", new JsonArray(
            Module(0, "", (isOld ? style : "sentence_transformers.base.modules.transformer.") + "Transformer"), Module(1, "1_Pooling", style + "Pooling"),
            Module(2, "2_Dense", (isOld ? style : denseStyle) + "Dense"), Module(3, "3_Normalize", (isOld ? style : "sentence_transformers.base.modules.normalize.") + "Normalize")));
        WriteJson("1_Pooling/config.json", isOld
            ? new JsonObject { ["word_embedding_dimension"] = 8, ["pooling_mode_cls_token"] = true, ["pooling_mode_mean_tokens"] = true, ["include_prompt"] = true }
            : new JsonObject { ["embedding_dimension"] = 8, ["pooling_mode"] = new JsonArray("cls", "mean"), ["include_prompt"] = true });
        WriteJson("2_Dense/config.json", new JsonObject { ["in_features"] = 16, ["out_features"] = 5, ["bias"] = true, ["activation_function"] = "torch.nn.modules.activation.Tanh" });
        WriteJson("sentence_bert_config.json", new JsonObject { ["max_seq_length"] = 6, ["do_lower_case"] = false });
        Save("2_Dense/model.safetensors", network.state_dict().Where(entry => entry.Key.StartsWith("dense.", StringComparison.Ordinal)).Select(entry => ("linear." + entry.Key[6..], entry.Value)));
        using SentenceEmbeddingTransformer encoder = Open();
        Assert.Equal(shape, encoder.Encoder);
        float[][] vectors = encoder.Embed(s_texts, Token);
        AssertSame(Expected(network, encoder), vectors);
        Assert.All(vectors, vector => Assert.Equal(1, Math.Sqrt(vector.Sum(number => (double)number * number)), 1e-5));
    }

    [Fact]
    public void The_models_own_pooler_and_other_poolings_are_choices()
    {
        TextTransformer shape = Shape("bert") with { Pooling = TextPooling.Cls, DenseSize = 8 };
        using TextNetwork network = MakeNetwork(shape);
        WriteModel("bert", shape, network, pooler: true);
        using (SentenceEmbeddingTransformer pooled = Open(TextEncoder.FromFolder(_folder) with { UsesPooler = true }))
            AssertSame(Expected(network, pooled), pooled.Embed(s_texts, Token));
        using SentenceEmbeddingTransformer firstLast = Open(TextEncoder.FromFolder(_folder) with { Pooling = TextPooling.FirstLastMean, TokenLimit = 5 });
        Assert.Equal((TextPooling.FirstLastMean, 5, null), (((TextTransformer)firstLast.Encoder).Pooling, firstLast.Encoder.MaxTokens, ((TextTransformer)firstLast.Encoder).DenseSize));
    }

    [Fact]
    public void Weights_in_shards_and_half_precision_are_read()
    {
        TextTransformer shape = Shape("bert");
        using TextNetwork network = MakeNetwork(shape);
        WriteModel("bert", shape, network);
        File.Delete(Path.Combine(_folder, "model.safetensors"));
        var state = network.state_dict().Select(entry => (entry.Key, Value: entry.Value.to(ScalarType.BFloat16))).ToArray();
        Save("model-1.safetensors", state.Take(5));
        Save("model-2.safetensors", state.Skip(5));
        WriteJson("model.safetensors.index.json", new JsonObject
        {
            ["metadata"] = new JsonObject(),
            ["weight_map"] = new JsonObject(state.Index().Select(entry => KeyValuePair.Create(entry.Item.Key, (JsonNode?)(entry.Index < 5 ? "model-1.safetensors" : "model-2.safetensors")))),
        });
        using SentenceEmbeddingTransformer encoder = Open();
        AssertSame(Expected(network, encoder), encoder.Embed(s_texts, Token), tolerance: 0.05);
        WriteJson("model.safetensors.index.json", new JsonObject { ["weight_map"] = new JsonObject { ["a"] = "../model.safetensors" } });
        Refused("outside the folder");
    }

    [Fact]
    public void Training_goes_on_from_a_folder_and_what_is_written_opens_as_the_same()
    {
        TextTransformer shape = Shape("mpnet") with { Width = 16, DenseSize = null };
        using TextNetwork network = MakeNetwork(shape);
        WriteModel("mpnet", shape, network);
        var ml = new MLContext(1);
        IDataView data = ml.View(SmallCorpus.Make(64, 1));
        using SentenceEmbeddingTransformer trained = ml.Transforms.SentenceEmbedding(
            "Features", "Text", TextEncoder.FromFolder(_folder), new SimCse(), new TrainingOptions { Steps = 3, BatchSize = 16 }, positiveColumnName: "Positive").Fit(data);
        Assert.Equal(16, ((TextTransformer)trained.Encoder).DenseSize); // with positives the layer stays
        float[][] vectors = trained.Vectors(data);
        using (SentenceEmbeddingTransformer start = Open())
            Assert.NotEqual(start.Embed(s_texts, Token)[0], trained.Embed(s_texts, Token)[0]);

        string written = Path.Combine(_folder, "written");
        trained.SaveFolder(written);
        using SentenceEmbeddingTransformer read = Open(TextEncoder.FromFolder(written));
        Assert.Equal(trained.Encoder, read.Encoder);
        Assert.Equal(vectors, read.Vectors(data));
        Assert.Equal("sentence_transformers.models.Pooling", (string)JsonNode.Parse(File.ReadAllText(Path.Combine(written, "modules.json")))![1]!["type"]!);
        Assert.Contains("not empty", Assert.Throws<IOException>(() => trained.SaveFolder(written)).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_folder, "*.tmp"));
    }

    [Fact]
    public void An_encoder_from_nothing_is_written_as_BERT()
    {
        var ml = new MLContext(1);
        IDataView data = ml.View(SmallCorpus.Make(64, 1));
        using SentenceEmbeddingTransformer trained = ml.Transforms.SentenceEmbedding(
            "Features", "Text", new TextTransformer { VocabularySize = 400, Width = 16, Heads = 2, Depth = 1, Normalizes = true }, new SimCse(), new TrainingOptions { Steps = 3, BatchSize = 16 }).Fit(data);
        string written = Path.Combine(_folder, "written");
        trained.SaveFolder(written);
        using SentenceEmbeddingTransformer read = Open(TextEncoder.FromFolder(written));
        AssertSame(trained.Vectors(data), read.Vectors(data));
    }

    [Fact]
    public void Tokens_weigh_by_rarity_and_their_weights_go_with_the_model()
    {
        var ml = new MLContext(1);
        IDataView data = ml.View(SmallCorpus.Make(64, 1));
        using SentenceEmbeddingTransformer trained = ml.Transforms.SentenceEmbedding(
            "Features", "Text", new TextTransformer { VocabularySize = 400, Width = 16, Heads = 2, Depth = 1, RarityWeight = 1e-3 }, new SimCse(), new TrainingOptions { Steps = 3, BatchSize = 16 }).Fit(data);
        Tensor weights = ((TextTransformerModule)trained.Weights.Module).TokenWeights!;
        Tokenizer tokenizer = trained.Weights.Tokenizer!;
        // A text has one opening token each: its share is the texts' over all tokens'.
        string[] texts = [.. data.GetColumn<string>("Text")];
        double share = texts.Length / (double)texts.Sum(text => tokenizer.Encode(text, 64).Length);
        Assert.Equal(1e-3 / (1e-3 + share), weights[tokenizer.Encode("a", 64)[0]].item<float>(), 1e-6);
        Assert.Equal(1, weights.max().item<float>()); // of one that no text has

        string written = Path.Combine(_folder, "written");
        trained.SaveFolder(written);
        Assert.Equal(["Transformer", "WordWeights", "Pooling"], JsonNode.Parse(File.ReadAllText(Path.Combine(written, "modules.json")))!.AsArray().Select(module => ((string)module!["type"]!).Split('.')[^1]));
        using SentenceEmbeddingTransformer read = Open(TextEncoder.FromFolder(written));
        Assert.True(((TextTransformer)read.Encoder).WeighsTokens);
        AssertSame(trained.Vectors(data), read.Vectors(data));
        Assert.Equal(weights.data<float>().ToArray(), ((TextTransformerModule)read.Weights.Module).TokenWeights!.data<float>().ToArray());
        using var stream = new MemoryStream();
        ml.Model.Save(trained, data.Schema, stream);
        stream.Position = 0;
        Assert.Equal(trained.Vectors(data), ml.Model.Load(stream, out _).Vectors(data));

        string config = Path.Combine(written, "WordWeights", "config.json");
        File.WriteAllText(config, """{"vocab": ["a", "b"], "word_weights": {"a": -1}}""");
        Assert.Contains("weight of 'a'", Assert.Throws<InvalidDataException>(() => Open(TextEncoder.FromFolder(written))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => ml.Transforms.SentenceEmbedding("Features", "Text", TextEncoder.Small() with { RarityWeight = 1, Pooling = TextPooling.Cls }, new SimCse()).Fit(data));
    }

    [Fact]
    public void Upper_case_and_prompts_are_as_the_folder_says()
    {
        TextTransformer shape = Shape("bert");
        using TextNetwork network = MakeNetwork(shape);
        WriteModel("bert", shape, network);
        WriteJson("modules.json", new JsonArray(Module(0, "", "sentence_transformers.models.Transformer"), Module(1, "1_Pooling", "sentence_transformers.models.Pooling")));
        WriteJson("1_Pooling/config.json", new JsonObject { ["pooling_mode_mean_tokens"] = true });
        WriteJson("tokenizer_config.json", new JsonObject { ["tokenizer_class"] = "BertTokenizer", ["do_lower_case"] = false });
        using SentenceEmbeddingTransformer cased = Open();
        Assert.NotEqual(cased.Embed(["the cat"], Token)[0], cased.Embed(["THE CAT"], Token)[0]);
        WriteJson("sentence_bert_config.json", new JsonObject { ["do_lower_case"] = true });
        using (SentenceEmbeddingTransformer lower = Open())
            AssertSame(cased.Embed(["the cat"], Token), lower.Embed(["THE CAT"], Token));

        WriteJson("config_sentence_transformers.json", new JsonObject { ["prompts"] = new JsonObject { ["query"] = "the " }, ["default_prompt_name"] = "query" });
        string written = Path.Combine(_folder, "written");
        using (SentenceEmbeddingTransformer prompted = Open())
        {
            AssertSame(cased.Embed(["the cat sat"], Token), prompted.Embed(["cat sat"], Token));
            prompted.SaveFolder(written);
            using SentenceEmbeddingTransformer read = Open(TextEncoder.FromFolder(written));
            AssertSame(prompted.Embed(s_texts, Token), read.Embed(s_texts, Token));
        }
        var ml = new MLContext(1);
        var options = new SentenceEmbeddingEstimator.Options { OutputColumnName = "Features", InputColumnName = "Text", Encoder = TextEncoder.FromFolder(_folder), Prompt = "a " };
        using (SentenceEmbeddingTransformer own = ml.Transforms.SentenceEmbedding(options).Fit(ml.View(SmallCorpus.Make(2, 1))))
            AssertSame(cased.Embed(["a cat sat"], Token), own.Embed(["cat sat"], Token));
        var bare = new SentenceEmbeddingEstimator.Options { OutputColumnName = "Features", InputColumnName = "Text", Encoder = TextEncoder.FromFolder(_folder), Prompt = "" };
        using (SentenceEmbeddingTransformer none = ml.Transforms.SentenceEmbedding(bare).Fit(ml.View(SmallCorpus.Make(2, 1))))
            AssertSame(cased.Embed(["cat sat"], Token), none.Embed(["cat sat"], Token));

        WriteJson("1_Pooling/config.json", new JsonObject { ["pooling_mode_mean_tokens"] = true, ["include_prompt"] = false });
        Refused("include_prompt");
        WriteJson("config_sentence_transformers.json", new JsonObject { ["prompts"] = new JsonObject(), ["default_prompt_name"] = "query" });
        Refused("default_prompt_name 'query'");
        File.Delete(Path.Combine(_folder, "config_sentence_transformers.json"));
        TokenizerFiles.Write(ToyTokenizers.Unigram(), (name, bytes) => File.WriteAllBytes(Path.Combine(_folder, name), bytes)); // which keeps case
        Refused("do_lower_case");
    }

    [Fact]
    public void What_is_missing_or_does_not_fit_is_named()
    {
        Refused("config.json does not exist");
        Assert.Contains("does not exist", Assert.Throws<InvalidDataException>(() => Open(TextEncoder.FromFolder(Path.Combine(_folder, "nowhere")))).Message, StringComparison.Ordinal);
        TextTransformer shape = Shape("bert");
        using TextNetwork network = MakeNetwork(shape);
        WriteModel("bert", shape, network);

        File.WriteAllBytes(Path.Combine(_folder, "pytorch_model.bin"), [1]);
        File.Move(Path.Combine(_folder, "model.safetensors"), Path.Combine(_folder, "kept"));
        Refused("model.safetensors does not exist");
        File.Move(Path.Combine(_folder, "kept"), Path.Combine(_folder, "model.safetensors"));

        var state = network.state_dict().Select(entry => (entry.Key, entry.Value)).ToList();
        Save("model.safetensors", state.Skip(1));
        Refused($"lacks {state[0].Key}");
        Save("model.safetensors", state.Append(("encoder.strange.weight", zeros(2))));
        Refused("'encoder.strange.weight' [2] is not known");
        Save("model.safetensors", state.Select(entry => entry.Key == "embeddings.LayerNorm.bias" ? (entry.Key, zeros(3)) : entry));
        Refused("'embeddings.LayerNorm.bias' is [3], expected [8]");
        Save("model.safetensors", state);

        WriteJson("modules.json", new JsonArray(Module(0, "", "sentence_transformers.models.Transformer"), Module(1, "1_Pooling", "my_code.Pooling")));
        Refused("code of its own");
        WriteJson("modules.json", new JsonArray(Module(0, "", "sentence_transformers.models.Transformer"), Module(1, "1_WordWeights", "sentence_transformers.models.WordWeights")));
        Refused("WordWeights");
        File.Delete(Path.Combine(_folder, "modules.json"));

        foreach ((string key, JsonNode value, string part) in new (string, JsonNode, string)[]
        {
            ("model_type", "gpt2", "gpt2"), ("hidden_act", "mish", "mish"), ("is_decoder", true, "is_decoder"), ("position_embedding_type", "relative_key", "relative_key"), ("hidden_size", 1 << 20, "Width"),
        })
        {
            WriteConfig("bert", shape, config => config[key] = value);
            Refused(part);
        }
        WriteConfig("bert", shape, config => config["vocab_size"] = 13);
        Refused("14 tokens");
    }

    private static TextTransformer Shape(string kind) => new()
    {
        VocabularySize = s_vocabulary.Length, Width = 8, Depth = 2, Heads = 2, HiddenSize = 16, TokenLimit = 12, PositionOffset = kind is "roberta" or "mpnet" ? 2 : 0,
        PositionRows = kind is "roberta" or "mpnet" ? 14 : 12, TokenTypes = kind switch { "bert" => 2, "roberta" => 1, _ => 0 }, RelativePositions = kind == "mpnet",
    };

    private static TextNetwork MakeNetwork(TextTransformer shape)
    {
        using var generator = new Generator(5);
        TextNetwork network = shape.Build(generator);
        using (no_grad())
            foreach (Tensor parameter in network.parameters())
                parameter.normal_(0, 0.5, generator);
        network.eval();
        return network;
    }

    private static float[][] Expected(TextNetwork network, SentenceEmbeddingTransformer encoder)
    {
        using var scope = NewDisposeScope();
        return [.. s_texts.Select(text => network.forward(TextTensors.Of([encoder.Weights.Tokenizer!.Encode(text, encoder.Encoder.MaxTokens)])).data<float>().ToArray())];
    }

    private static void AssertSame(float[][] expected, float[][] actual, double tolerance = 1e-5)
    {
        for (int i = 0; i < expected.Length; i++)
            Assert.All(expected[i].Zip(actual[i]), pair => Assert.Equal(pair.First, pair.Second, tolerance));
    }

    private SentenceEmbeddingTransformer Open(TextEncoder? encoder = null)
    {
        var ml = new MLContext(1);
        return ml.Transforms.SentenceEmbedding("Features", "Text", encoder ?? TextEncoder.FromFolder(_folder)).Fit(ml.View(SmallCorpus.Make(2, 1)));
    }

    private void Refused(string part)
        => Assert.Contains(part, Assert.Throws<InvalidDataException>(() => Open().Dispose()).Message, StringComparison.Ordinal);

    private void WriteModel(string kind, TextTransformer shape, TextNetwork network, string prefix = "", bool pooler = false, (string, Tensor)? extra = null)
    {
        WriteConfig(kind, shape);
        File.WriteAllLines(Path.Combine(_folder, "vocab.txt"), s_vocabulary);
        var tensors = network.state_dict().Where(entry => pooler || !entry.Key.StartsWith("dense.", StringComparison.Ordinal))
            .Select(entry => (prefix + Theirs(entry.Key, kind), entry.Value)).ToList();
        if (extra is { } more)
            tensors.Add(more);
        Save("model.safetensors", tensors);
    }

    // Written out here, not taken from the reader, which is what is tested.
    private static string Theirs(string name, string kind)
    {
        if (name.StartsWith("dense.", StringComparison.Ordinal))
            return "pooler." + name;
        (string, string)[] pairs = kind switch
        {
            "distilbert" =>
            [
                ("encoder.layer.", "transformer.layer."), ("attention.self.query", "attention.q_lin"), ("attention.self.key", "attention.k_lin"), ("attention.self.value", "attention.v_lin"),
                ("attention.output.dense", "attention.out_lin"), ("attention.output.LayerNorm", "sa_layer_norm"), ("intermediate.dense", "ffn.lin1"), (".output.dense", ".ffn.lin2"), (".output.LayerNorm", ".output_layer_norm"),
            ],
            "mpnet" =>
            [
                ("attention.self.query", "attention.attn.q"), ("attention.self.key", "attention.attn.k"), ("attention.self.value", "attention.attn.v"), ("attention.output.dense", "attention.attn.o"),
                ("attention.output.LayerNorm", "attention.LayerNorm"),
            ],
            _ => [],
        };
        return pairs.Aggregate(name, (changed, pair) => changed.Replace(pair.Item1, pair.Item2, StringComparison.Ordinal));
    }

    private void WriteConfig(string kind, TextTransformer shape, Action<JsonObject>? change = null)
    {
        JsonObject config = kind == "distilbert"
            ? new JsonObject
            {
                ["model_type"] = kind, ["vocab_size"] = shape.VocabularySize, ["dim"] = shape.Width, ["n_layers"] = shape.Depth, ["n_heads"] = shape.Heads, ["hidden_dim"] = shape.Middle,
                ["max_position_embeddings"] = shape.Positions, ["activation"] = "gelu",
            }
            : new JsonObject
            {
                ["model_type"] = kind, ["vocab_size"] = shape.VocabularySize, ["hidden_size"] = shape.Width, ["num_hidden_layers"] = shape.Depth, ["num_attention_heads"] = shape.Heads,
                ["intermediate_size"] = shape.Middle, ["max_position_embeddings"] = shape.Positions, ["hidden_act"] = "gelu", ["type_vocab_size"] = shape.TokenTypes, ["pad_token_id"] = kind == "bert" ? 0 : 1,
            };
        change?.Invoke(config);
        WriteJson("config.json", config);
    }

    private static JsonObject Module(int index, string path, string type) => new() { ["idx"] = index, ["name"] = $"{index}", ["path"] = path, ["type"] = type };

    private void WriteJson(string name, JsonNode content)
    {
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content.ToJsonString());
    }

    private void Save(string name, IEnumerable<(string, Tensor)> tensors)
    {
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        SafeTensors.Save(path, tensors);
    }
}
