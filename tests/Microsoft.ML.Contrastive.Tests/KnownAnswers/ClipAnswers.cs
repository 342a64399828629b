using System.Text.Json;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>CLIP's networks, from the tensors of a case.</summary>
internal static class ClipAnswers
{
    public static IReadOnlyDictionary<string, Answer> All { get; } = new Dictionary<string, Answer>
    {
        ["tiny_clip_forward"] = Forward,
        ["clip_attention_pool"] = Pool,
        ["causal_mask_4"] = Causal,
        ["clip_param_counts"] = Counts,
        ["clip_preprocess"] = Preprocess,
        ["gradcache_equality"] = CachedGradient,
        ["clip_zero_shot_ensemble"] = ZeroShot,
        ["clip_image_normalise"] = NormalisePixels,
        ["quick_gelu_vs_gelu"] = given => new JsonObject
        {
            ["quick_gelu"] = Activations.Apply(TextActivation.QuickGelu, given.Inputs.GetProperty("x").ToTensor()).ToJson(),
            ["gelu_erf"] = Activations.Apply(TextActivation.Gelu, given.Inputs.GetProperty("x").ToTensor()).ToJson(),
            ["gelu_tanh"] = Activations.Apply(TextActivation.GeluTanh, given.Inputs.GetProperty("x").ToTensor()).ToJson(),
        },
    };

    private static JsonObject Forward(KnownAnswerCase given)
    {
        Dictionary<string, Tensor> tensors = TinyClip.Filled(given.Inputs.GetProperty("shapes"));
        int heads = given.Parameters.GetProperty("heads").GetInt32();
        long[] table = tensors["token_embedding.weight"].shape;
        var shape = new ImageTextEncoder(
            new ClipVisionTransformer
            {
                Patch = given.Parameters.GetProperty("patch").GetInt32(), Width = (int)tensors["visual.class_embedding"].shape[0], Heads = heads,
                Depth = tensors.Keys.Count(name => name.StartsWith("visual.transformer", StringComparison.Ordinal) && name.EndsWith("ln_1.bias", StringComparison.Ordinal)),
                EmbeddingSize = (int)tensors["visual.proj"].shape[1],
            },
            new ClipTextTransformer
            {
                VocabularySize = (int)table[0], Width = (int)table[1], Heads = heads, ContextLength = (int)tensors["positional_embedding"].shape[0],
                Depth = tensors.Keys.Count(name => name.StartsWith("transformer", StringComparison.Ordinal) && name.EndsWith("ln_1.bias", StringComparison.Ordinal)),
                EmbeddingSize = (int)tensors["text_projection"].shape[1],
            });
        shape.Validate();
        Tensor pictures = TinyClip.Sines(0.37, 2, 3, 4, 4), ids = given.Inputs.GetProperty("token_ids").ToTensor().to(ScalarType.Int64);
        using var generator = new Generator(1);
        using ImageTextModule module = shape.Build(3, 4, 4, generator);
        module.to(ScalarType.Float64);
        using var noGradient = no_grad();
        ModuleState.Copy(tensors.ToDictionary(pair => Ours(pair.Key), pair => pair.Value), module);
        Tensor image = module.Images(pictures), text = module.Texts(ids);
        // What fills the rows changes nothing: neither zeros, as here, nor the library's own filler, nor none.
        TensorAssert.Equal(text, module.Texts(ids.masked_fill(ids.eq(0), TextNetwork.Filler)), 1e-12);
        TensorAssert.Equal(text[1], module.Texts(ids.narrow(0, 1, 1).narrow(1, 0, 3))[0], 1e-12);
        return new JsonObject
        {
            ["text_features"] = text.ToJson(), ["image_features"] = image.ToJson(), ["logits_per_image"] = ClipContrast.Logits(image, text, module.LogScale).ToJson(),
        };

        static string Ours(string name) => name == "logit_scale" ? name : name.StartsWith("visual.", StringComparison.Ordinal) ? "image." + name["visual.".Length..] : "text." + name;
    }

    private static JsonObject Pool(KnownAnswerCase given)
    {
        Dictionary<string, Tensor> tensors = TinyClip.Filled(given.Inputs.GetProperty("shapes"));
        long[] positions = tensors["positional_embedding"].shape;
        using var generator = new Generator(1);
        using var pool = new AttentionPool(
            (int)positions[1], (int)positions[0] - 1, given.Parameters.GetProperty("heads").GetInt32(), (int)tensors["c_proj.bias"].shape[0], generator);
        pool.to(ScalarType.Float64);
        using var noGradient = no_grad();
        ModuleState.Copy(tensors, pool);
        return new JsonObject { ["output"] = pool.forward(TinyClip.Sines(0.53, 1, 4, 2, 2)).ToJson() };
    }

    /// <summary>Token j is visible to token i where another token j makes another state i.</summary>
    private static JsonObject Causal(KnownAnswerCase given)
    {
        using var generator = new Generator(1);
        using var transformer = new ClipTransformer(8, depth: 2, heads: 2, quickGelu: true, isCausal: true, generator);
        using var noGradient = no_grad();
        Tensor tokens = empty(1, 4, 8).normal_(0, 1, generator), states = transformer.forward(tokens);
        var visible = new int[4][];
        for (int i = 0; i < 4; i++)
            visible[i] = new int[4];
        for (int j = 0; j < 4; j++)
        {
            Tensor changed = tokens.clone();
            changed[0, j] = changed[0, j].add(empty(8).normal_(0, 1, generator));
            Tensor differs = transformer.forward(changed).ne(states).any(2);
            for (int i = 0; i < 4; i++)
                visible[i][j] = differs[0, i].item<bool>() ? 1 : 0;
        }
        return new JsonObject { ["visible"] = JsonSerializer.SerializeToNode(visible) };
    }

    private static JsonObject CachedGradient(KnownAnswerCase given)
    {
        double temperature = given.Parameters.GetProperty("temperature").GetDouble();
        int chunk = given.Parameters.GetProperty("chunk").GetInt32();
        using var learner = new TanhLearner(given.Inputs.GetProperty("W").ToTensor(), temperature);
        using var views = new Views(given.Inputs.GetProperty("x").ToTensor(), given.Inputs.GetProperty("x2").ToTensor());
        var step = new Step(0, 1, seed: 0);
        double loss = GradientCache.Backward(learner, views, step, chunk);
        IReadOnlyList<Tensor> whole = learner.Contrasted;
        double[] alone = [.. Enumerable.Range(0, (int)views.Rows / chunk).Select(part => learner.Loss(views.Narrow(part * chunk, chunk), step).item<double>())];
        return new JsonObject
        {
            ["loss"] = loss, ["rep_grad_z1"] = whole[0].grad!.ToJson(), ["rep_grad_z2"] = whole[1].grad!.ToJson(), ["grad_W"] = learner.Weight.grad!.ToJson(),
            ["naive_accumulation_loss_mean_of_chunks"] = alone.Average(),
        };
    }

    private static JsonObject ZeroShot(KnownAnswerCase given)
    {
        Tensor prompts = stack([given.Inputs.GetProperty("class0_prompt_embeddings").ToTensor(), given.Inputs.GetProperty("class1_prompt_embeddings").ToTensor()]);
        Tensor classes = PromptEnsemble.Vectors(prompts), image = nn.functional.normalize(given.Inputs.GetProperty("image").ToTensor().unsqueeze(0));
        var settings = new ZeroShotSettings { Templates = ["{}"], Scale = given.Parameters.GetProperty("scale").GetDouble() };
        Tensor logits = ZeroShotClasses.Logits(image, classes, settings)[0];
        return new JsonObject
        {
            ["classifier"] = classes.ToJson(), ["logits"] = logits.ToJson(), ["probabilities"] = logits.softmax(0).ToJson(),
            ["norm_of_mean_before_renormalise"] = PromptEnsemble.Mean(prompts).norm(1).ToJson(),
        };
    }

    private static JsonObject? Counts(KnownAnswerCase given)
    {
        var answer = new JsonObject();
        foreach (JsonProperty model in given.Expected.EnumerateObject())
        {
            (ClipVisionTransformer, ClipTextTransformer)? shapes = model.Name switch
            {
                "ViT-B/32" => (new(), new()),
                "ViT-B/16" => (new() { Patch = 16 }, new()),
                "ViT-L/14" => (new() { Patch = 14, Width = 1024, Depth = 24, Heads = 16, EmbeddingSize = 768 }, new() { Width = 768, Heads = 12, EmbeddingSize = 768 }),
                _ => null,
            };
            if (shapes is not var (image, text))
                return null;
            var both = new ImageTextEncoder(image, text);
            both.Validate();
            answer[model.Name] = new JsonObject { ["visual"] = image.CountWeights(3, 224, 224), ["text"] = text.CountWeights(), ["total"] = both.CountWeights(3, 224, 224) };
        }
        return answer;
    }

    private static JsonObject Preprocess(KnownAnswerCase given)
    {
        TestPicture picture = TestPicture.Read(given.Inputs);
        int side = given.Parameters.GetProperty("n_px").GetInt32();
        var normalization = new Normalization(given.Parameters.GetProperty("mean").Deserialize<float[]>()!, given.Parameters.GetProperty("std").Deserialize<float[]>()!);
        byte[] pixels = [.. picture.Planes.Select(value => (byte)MathF.Round(value * 255))];
        var source = new Picture(pixels, picture.Height, picture.Width, 3);
        (ResizeAxis rows, ResizeAxis columns) = ImageViewMaker.Covering(picture.Height, picture.Width, side, side);
        var inSingle = new float[3 * side * side];
        new Resizer(Interpolation.Bicubic).Resize(source, 0, 0, rows, columns, inSingle);
        var view = new float[3 * side * side];
        new ImageViewMaker(new ImageAugmentation(), side, side, 3, normalization, PlainResizing.BicubicBytes).MakePlain(source, view);
        return new JsonObject
        {
            ["resized_height"] = rows.Output, ["resized_width"] = columns.Output, ["crop_top"] = rows.Start, ["crop_left"] = columns.Start,
            ["float"] = (picture with { Planes = inSingle, Height = side, Width = side }).ToJson(),
            ["normalised_from_pil"] = (picture with { Planes = view, Height = side, Width = side }).ToJson(),
        };
    }

    /// <summary>The library normalises in single precision: that is held against the formula here, whose numbers are the answer.</summary>
    private static JsonObject NormalisePixels(KnownAnswerCase given)
    {
        double[] pixels = [.. given.Inputs.GetProperty("rgb_255").EnumerateArray().Select(value => value.GetDouble() / 255)];
        double[] mean = given.Parameters.GetProperty("mean").Deserialize<double[]>()!, deviation = given.Parameters.GetProperty("std").Deserialize<double[]>()!;
        double[] formula = [.. pixels.Select((pixel, channel) => (pixel - mean[channel]) / deviation[channel])];
        float[] ours = Array.ConvertAll(pixels, pixel => (float)pixel);
        Normalise.Apply(ours, new Normalization(Array.ConvertAll(mean, value => (float)value), Array.ConvertAll(deviation, value => (float)value)), ours);
        Assert.All(formula.Zip(ours), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
        return new JsonObject { ["value"] = JsonSerializer.SerializeToNode(formula) };
    }
}
