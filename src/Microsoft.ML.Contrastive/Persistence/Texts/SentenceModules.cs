using System.Text.Json;

namespace Microsoft.ML.Contrastive;

/// <summary>What sentence-transformers puts behind the transformer (modules.json), read into the shape and written from it.</summary>
internal static class SentenceModules
{
    public const string List = "modules.json", BertConfig = "sentence_bert_config.json", Config = "config_sentence_transformers.json";

    private static readonly (string Key, TextPooling Mode)[] s_flags =
    [
        ("pooling_mode_cls_token", TextPooling.Cls), ("pooling_mode_max_tokens", TextPooling.Max), ("pooling_mode_mean_tokens", TextPooling.Mean),
        ("pooling_mode_mean_sqrt_len_tokens", TextPooling.MeanSqrt), ("pooling_mode_weightedmean_tokens", TextPooling.WeightedMean), ("pooling_mode_lasttoken", TextPooling.LastToken),
    ];

    private static readonly (string Name, TextPooling Mode)[] s_names =
    [
        ("cls", TextPooling.Cls), ("max", TextPooling.Max), ("mean", TextPooling.Mean), ("mean_sqrt_len_tokens", TextPooling.MeanSqrt), ("mean_sqrt_len", TextPooling.MeanSqrt),
        ("weightedmean", TextPooling.WeightedMean), ("lasttoken", TextPooling.LastToken),
    ];

    private static readonly (string Torch, TextActivation Ours)[] s_activations =
    [
        ("torch.nn.modules.activation.Tanh", TextActivation.Tanh), ("torch.nn.modules.linear.Identity", TextActivation.Identity), ("torch.nn.modules.activation.GELU", TextActivation.Gelu),
        ("torch.nn.modules.activation.ReLU", TextActivation.Relu), ("torch.nn.modules.activation.SiLU", TextActivation.Silu),
    ];

    /// <summary>A folder's modules, in their order.</summary>
    /// <param name="modules">modules.json.</param>
    /// <param name="open">A file of the folder as JSON.</param>
    /// <param name="readTransformer">The transformer's shape, from its subfolder.</param>
    /// <param name="hasPrompt">Whether something stands before every text, which all poolings here take in.</param>
    /// <returns>The whole shape, the subfolders of the transformer and of the dense layer, which may be null, and what each token weighs, null where all weigh the same.</returns>
    /// <exception cref="InvalidDataException">A module that is not supported: none may be left out.</exception>
    public static (TextTransformer Shape, string TransformerFolder, string? DenseFolder, float[]? TokenWeights) Read(JsonPart modules, Func<string, JsonPart> open, Func<string, TextTransformer> readTransformer, bool hasPrompt)
    {
        TextTransformer? shape = null;
        bool isPooled = false;
        string? dense = null;
        float[]? weights = null;
        string transformer = "";
        foreach (JsonPart module in modules.Items())
        {
            string kind = (module.Text("type") ?? throw module.Unknown("module without type")).Split('.')[^1];
            string type = module.Text("type")!, folder = Folder(module);
            if (!type.StartsWith("sentence_transformers.", StringComparison.Ordinal))
                throw module.Unknown($"module of the type {Printable.Quote(type)}, code of its own,");
            switch (kind)
            {
                case "Transformer" when shape is null:
                    (transformer, shape) = (folder, readTransformer(folder));
                    break;
                case "WordWeights" when shape is not null && !isPooled && weights is null:
                    weights = WordWeights.Read(open(Path(folder, "config.json")), shape.VocabularySize);
                    shape = shape with { WeighsTokens = true };
                    break;
                case "Pooling" when shape is not null && !isPooled:
                    (isPooled, shape) = (true, shape with { Pooling = Pooling(open(Path(folder, "config.json")), hasPrompt) });
                    break;
                case "Dense" when isPooled && dense is null && !shape!.Normalizes:
                    (dense, shape) = (folder, Dense(open(Path(folder, "config.json")), shape));
                    break;
                case "Normalize" when isPooled:
                    shape = shape! with { Normalizes = true };
                    break;
                default:
                    throw module.Unknown($"module of the type {Printable.Quote(type)} at this place");
            }
        }
        return isPooled ? (shape!, transformer, dense, weights) : throw modules.Unknown("list of modules without a Transformer and a Pooling");
    }

    /// <summary>The files behind the transformer, each with its path; the dense layer's weights are the caller's.</summary>
    /// <param name="shape">The network's.</param>
    /// <param name="vocabulary">The tokenizer's.</param>
    /// <param name="tokenWeights">[V], null where all weigh the same.</param>
    public static IEnumerable<(string Path, object Content)> Write(TextTransformer shape, Vocabulary vocabulary, float[]? tokenWeights)
    {
        const string old = "sentence_transformers.models.";
        var modules = new List<object>();
        modules.Add(Module("Transformer", ""));
        if (tokenWeights is not null)
        {
            modules.Add(Module("WordWeights", "WordWeights"));
            yield return ("WordWeights/config.json", WordWeights.Write(vocabulary, tokenWeights));
        }
        modules.Add(Module("Pooling", "1_Pooling"));
        yield return ("1_Pooling/config.json", s_flags.Select(flag => (flag.Key, (object)shape.Pooling.HasFlag(flag.Mode)))
            .Prepend(("word_embedding_dimension", shape.Width)).Append(("include_prompt", true)).ToDictionary(pair => pair.Item1, pair => pair.Item2));
        if (shape.DenseSize is { } size)
        {
            modules.Add(Module("Dense", "2_Dense"));
            yield return ("2_Dense/config.json", new Dictionary<string, object>
            {
                ["in_features"] = shape.Width * TextPoolings.Count(shape.Pooling),
                ["out_features"] = size,
                ["bias"] = shape.DenseBias,
                ["activation_function"] = s_activations.Single(pair => pair.Ours == shape.DenseActivation).Torch,
            });
        }
        if (shape.Normalizes)
            modules.Add(Module("Normalize", $"{modules.Count}_Normalize"));
        yield return (List, modules);
        yield return (BertConfig, new Dictionary<string, object> { ["max_seq_length"] = shape.TokenLimit, ["do_lower_case"] = false });

        object Module(string kind, string path) => new Dictionary<string, object> { ["idx"] = modules.Count, ["name"] = $"{modules.Count}", ["path"] = path, ["type"] = old + kind };
    }

    /// <summary>Throws where sentence-transformers has no module for what the shape does.</summary>
    public static void CheckWritable(TextTransformer shape)
    {
        if ((shape.Pooling & (TextPooling.FirstLastMean | TextPooling.LastTwoMean)) != 0)
            throw new NotSupportedException($"sentence-transformers has no pooling over two layers: {shape.Pooling} can't be written. Choose an encoder with Pooling = TextPooling.Mean.");
        if (shape.DenseSize is not null && s_activations.All(pair => pair.Ours != shape.DenseActivation))
            throw new NotSupportedException($"The dense layer's activation {shape.DenseActivation} can't be written.");
    }

    /// <summary>The prompt that stands before every text unless another is asked for; empty where there is none.</summary>
    /// <param name="config"><see cref="Config"/>.</param>
    public static string DefaultPrompt(JsonPart config)
    {
        if (config.Text("default_prompt_name") is not { } name)
            return "";
        string prompt = config["prompts"].Text(name) ?? throw config.Unknown($"default_prompt_name {Printable.Quote(name)} that is none of its prompts");
        return prompt.Length <= TextInput.LongestPrompt ? prompt : throw config.Unknown($"default prompt of {prompt.Length} characters, more than {TextInput.LongestPrompt}");
    }

    /// <summary>What <see cref="DefaultPrompt"/> reads.</summary>
    /// <param name="prompt">May be empty.</param>
    /// <param name="library">What wrote it, with its version.</param>
    public static object WriteConfig(string prompt, string library)
    {
        const string name = "default";
        var prompts = new Dictionary<string, string>();
        if (prompt.Length > 0)
            prompts.Add(name, prompt);
        return new Dictionary<string, object?>
        {
            ["__version__"] = new Dictionary<string, string> { ["contrastiveml"] = library }, ["model_type"] = "SentenceTransformer",
            ["prompts"] = prompts, ["default_prompt_name"] = prompt.Length > 0 ? name : null, ["similarity_fn_name"] = "cosine",
        };
    }

    private static TextPooling Pooling(JsonPart config, bool hasPrompt)
    {
        if (hasPrompt && !config.Flag("include_prompt", true))
            throw config.Unknown("include_prompt, which is false, with a default prompt,");
        if (config.Has("pooling_mode"))
        {
            JsonPart mode = config["pooling_mode"];
            return (mode.Element.ValueKind == JsonValueKind.Array ? mode.Items() : [mode]).Aggregate(TextPooling.None, (sum, part) => sum
                | (s_names.FirstOrDefault(pair => pair.Name == part.AsText()) is { Name: not null } known ? known.Mode : throw part.Unknown($"pooling_mode {Printable.Quote(part.AsText())}")));
        }
        TextPooling flags = s_flags.Where(flag => config.Flag(flag.Key, false)).Aggregate(TextPooling.None, (sum, flag) => sum | flag.Mode);
        return flags == TextPooling.None ? TextPooling.Mean : flags;
    }

    private static TextTransformer Dense(JsonPart config, TextTransformer shape)
    {
        JsonPart activation = config["activation_function"];
        string name = activation.IsThere ? activation.AsText() : "torch.nn.modules.activation.Tanh";
        int inputs = shape.Width * TextPoolings.Count(shape.Pooling);
        if (config.Whole("in_features") != inputs)
            throw config.Unknown($"dense layer of {config.Whole("in_features")} numbers behind a pooling of {inputs}");
        return shape with
        {
            DenseSize = config.Whole("out_features"),
            DenseBias = config.Flag("bias", true),
            DenseActivation = s_activations.FirstOrDefault(pair => pair.Torch == name) is { Torch: not null } known ? known.Ours : throw activation.Unknown($"activation {Printable.Quote(name)}"),
        };
    }

    private static string Folder(JsonPart module)
    {
        string path = module.Text("path") ?? "";
        return path.Length == 0 || (path.IndexOfAny(['/', '\\', ':']) < 0 && path is not ("." or "..")) ? path : throw module.Unknown($"path {Printable.Quote(path)} outside the folder");
    }

    private static string Path(string folder, string name) => folder.Length == 0 ? name : $"{folder}/{name}";
}
