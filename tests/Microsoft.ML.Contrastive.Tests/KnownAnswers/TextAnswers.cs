using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>Objectives of sentences and of pictures with captions, pooling, and measures of sentences.</summary>
internal static class TextAnswers
{
    // Cases without inputs are about the rows of the case "siglip_init", or about four unit vectors.
    private static readonly double[,] s_images = { { 1.0, 0.4, 0.5 }, { 0.9, 0.6, 0.3 }, { 0.7, 0.5, 0.8 }, { 1.1, 0.2, 0.9 } };
    private static readonly double[,] s_texts = { { 0.9, 0.5, 0.4 }, { 0.8, 0.4, 0.6 }, { 0.6, 0.7, 0.7 }, { 1.0, 0.1, 1.1 } };

    // With BERT's pooler, a dense layer as wide as the network, which the counts include.
    private static readonly Dictionary<string, TextTransformer> s_published = new()
    {
        ["bert-base-uncased"] = Base(30_522) with { TokenTypes = 2, TokenLimit = 512 },
        ["roberta-base"] = Base(50_265) with { TokenTypes = 1, PositionOffset = 2, TokenLimit = 512 },
        ["all-MiniLM-L6-v2"] = Base(30_522) with { Width = 384, Depth = 6, TokenTypes = 2, TokenLimit = 512, DenseSize = 384 },
        ["mpnet-base"] = Base(30_527) with { PositionOffset = 2, TokenLimit = 512, RelativePositions = true },
    };

    private static TextTransformer Base(int vocabulary) => new() { VocabularySize = vocabulary, Width = 768, Depth = 12, Heads = 12, DenseSize = 768 };

    public static IReadOnlyDictionary<string, Answer> All { get; } = new Dictionary<string, Answer>
    {
        ["simcse"] = InBatch,
        ["simcse_supervised"] = InBatch,
        ["esimcse"] = InBatch,
        ["simcse_gradient"] = InBatchGradient,
        ["multiple_negatives_ranking"] = given => new JsonObject { ["loss"] = InBatchContrast.Loss(Input(given, "z1"), Input(given, "z2"), 1 / Number(given, "scale")).ToJson() },
        ["simcse_symmetric"] = given => new JsonObject { ["loss"] = InBatchContrast.Symmetric(Input(given, "z1"), Input(given, "z2"), 1 / Number(given, "scale")).ToJson() },
        ["matryoshka"] = Nested,
        ["consert"] = ConSert,
        ["consert_joint_features"] = given => new JsonObject { ["features"] = PairFeatures.Joint(Input(given, "u").unsqueeze(0), Input(given, "v").unsqueeze(0))[0].ToJson() },
        ["clip"] = Clip,
        ["clip_gradient"] = ClipGradient,
        ["clip_scale_constants"] = _ => new JsonObject
        {
            ["ln_1_over_0_07"] = ClipContrast.InitialLogScale, ["scale_at_init"] = Math.Exp(ClipContrast.InitialLogScale), ["ln_100"] = ClipContrast.MaxLogScale,
        },
        ["clip_eot_pooling"] = given => new JsonObject { ["pool_index"] = TextPoolings.PlaceOfLargest(Input(given, "token_ids").to(ScalarType.Int64)).ToJson() },
        ["esimcse_queue_fifo"] = Queue,
        ["esimcse_repetition_bounds"] = given => new JsonObject
        {
            ["paper_max_dup"] = new JsonArray([.. Lengths(given).Select(length => (JsonNode)WordRepetition.MostRepeated(length, Number(given, "dup_rate")))]),
            ["repo_bpe_exclusive_bound"] = new JsonArray([.. Lengths(given).Select(length => (JsonNode)WordRepetition.ReleasedCount(length, Number(given, "dup_rate")))]),
        },
        ["esimcse_repetition_toy"] = given => new JsonObject
        {
            ["tokens"] = new JsonArray([.. WordRepetition.Repeat<string>(
                [.. given.Inputs.GetProperty("tokens").EnumerateArray().Select(token => token.GetString()!)],
                given.Inputs.GetProperty("repeat_positions").EnumerateArray().Select(place => place.GetInt32()).ToHashSet()).Select(token => (JsonNode)token)]),
        },
        ["consert_cutoff_toy"] = Cutoff,
        ["tiny_bert_forward"] = TinyBert,
        ["bert_param_counts"] = _ => new JsonObject(s_published.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value.CountWeights()))),
        ["roberta_position_ids"] = given =>
        {
            double padding = Number(given, "pad_token_id");
            return new JsonObject { ["position_ids"] = TextTransformerModule.PositionsOf(Input(given, "input_ids").ne(padding), (long)padding + 1).ToJson() };
        },
        ["mpnet_relative_buckets"] = given => new JsonObject { ["buckets"] = TokenLayers.Buckets(Input(given, "values").to(ScalarType.Int64)).ToJson() },
        ["siglip"] = Sigmoid,
        ["siglip_chunked_equality"] = SigmoidBlocks,
        ["momentum_update"] = MomentumSteps,
        ["pooling"] = Pooling,
        ["mean_pool_invariants"] = PaddingChangesNothing,
        ["align_uniform"] = AlignUniform,
        ["align_uniform_closed_forms"] = AlignUniformClosedForms,
        ["spearman_ties"] = given => new JsonObject
        {
            ["ranks_a"] = new JsonArray([.. RankCorrelation.Ranks(Numbers(given.Inputs.GetProperty("a")))]),
            ["ranks_b"] = new JsonArray([.. RankCorrelation.Ranks(Numbers(given.Inputs.GetProperty("b")))]),
            ["spearman"] = RankCorrelation.Spearman(Numbers(given.Inputs.GetProperty("a")), Numbers(given.Inputs.GetProperty("b"))),
            ["pearson"] = RankCorrelation.Pearson(Numbers(given.Inputs.GetProperty("a")), Numbers(given.Inputs.GetProperty("b"))),
            ["wrong_d2_formula"] = ShortcutWithoutTies(given),
        },
        ["spearman_edge"] = given => new JsonObject
        {
            // The case leaves the choice to the library, which is not a number.
            ["constant_input"] = double.IsNaN(RankCorrelation.Spearman([1, 1, 1], [1, 2, 3])) ? given.Expected.GetProperty("constant_input").GetString() : "a number",
            ["perfect"] = RankCorrelation.Spearman([1, 5, 9], [2, 3, 40]),
            ["reversed"] = RankCorrelation.Spearman([1, 5, 9], [4, 3, -1]),
        },
        ["sts_all_toy"] = Sets,
        ["pairwise_cosine"] = given => new JsonObject { ["cosine"] = PairCosine(Input(given, "a"), Input(given, "b")).ToJson() },
    };

    private static JsonObject Queue(KnownAnswerCase given)
    {
        using var generator = new Generator(1);
        int batch = given.Inputs.GetProperty("batch").GetInt32(), length = given.Parameters.GetProperty("queue_size").GetInt32(), batches = given.Expected.GetProperty("after_each_batch").GetArrayLength();
        using var queue = new KeyQueue(length, 1, generator, startsEmpty: true);
        Assert.Equal(0, queue.Count);
        var after = new JsonArray();
        for (int i = 0; i < batches; i++)
        {
            queue.Enqueue(arange(batch * i, batch * (i + 1), ScalarType.Float32).unsqueeze(1));
            long oldest = queue.Count < length ? 0 : queue.Pointer;
            after.Add(queue.Keys.roll(-oldest, 0).squeeze(1).ToJson());
        }
        return new JsonObject { ["after_each_batch"] = after };
    }

    private static IEnumerable<int> Lengths(KnownAnswerCase given) => given.Inputs.GetProperty("lengths").EnumerateArray().Select(length => length.GetInt32());

    private static JsonObject Cutoff(KnownAnswerCase given)
    {
        Tensor embedded = Input(given, "embeddings").unsqueeze(0), mask = Input(given, "attention_mask").unsqueeze(0).ne(0);
        double rate = Number(given, "rate"), featureRate = Number(given, "feature_rate");
        Tensor tokens = EmbeddingCutoff.Tokens(embedded, mask, rate, LowestAt(embedded.shape[1], "token_index_chosen"));
        Tensor features = EmbeddingCutoff.Features(embedded, featureRate, LowestAt(embedded.shape[2], "feature_index_chosen"));
        Tensor numbers = EmbeddingCutoff.Numbers(embedded, mask, rate / 2, rand_like(embedded));
        Tensor order = given.Inputs.GetProperty("shuffle_permutation").ToTensor(), scores = zeros(1, embedded.shape[1], ScalarType.Float64);
        scores[0].scatter_(0, order.to(ScalarType.Int64), arange(order.shape[0], ScalarType.Float64));
        return new JsonObject
        {
            ["n_token_cut"] = tokens[0].eq(0).all(1).sum().item<long>(),
            ["token_cutoff"] = tokens[0].ToJson(),
            ["n_feature_cut"] = features[0].eq(0).all(0).sum().item<long>(),
            ["feature_cutoff"] = features[0].ToJson(),
            ["shuffled_position_ids"] = EmbeddingCutoff.Shuffled(arange(mask.shape[1]).unsqueeze(0), mask, scores)[0].ToJson(),
            ["n_element_cut_random_mode"] = numbers.eq(0).sum().item<long>(),
        };

        Tensor LowestAt(long length, string index)
        {
            Tensor all = ones(1, length, ScalarType.Float64);
            all[0, given.Inputs.GetProperty(index).GetInt64()] = 0;
            return all;
        }
    }

    private static JsonObject TinyBert(KnownAnswerCase given)
    {
        JsonElement config = given.Parameters.GetProperty("config");
        (string type, TextTransformer shape) = TextConfig.Read(TinyModels.Config(config, "bert"));
        Assert.Equal("bert", type);
        using var generator = new Generator(1);
        Tensor tokens = Input(given, "input_ids").masked_fill(Input(given, "attention_mask").eq(0), TextNetwork.Filler).to(ScalarType.Int64), mask = TextNetwork.MaskOf(tokens);
        Dictionary<string, Tensor> weights = TinyModels.Weights(given.Inputs.GetProperty("shapes"));
        using TextTransformerModule plain = Made(shape), pooled = Made(shape with { Pooling = TextPooling.Cls, DenseSize = shape.Width });
        TokenStates states = plain.States(tokens);
        return new JsonObject
        {
            ["embeddings"] = OfTokens(plain.Embed(tokens), "embeddings"),
            ["layer1"] = OfTokens(states.First, "layer1"),
            ["last_hidden"] = OfTokens(states.Last, "last_hidden"),
            ["pooler"] = pooled.forward(tokens).ToJson(),
            ["mean"] = plain.forward(tokens).ToJson(),
            ["avg_first_last"] = TextPoolings.MeanOfTwo(states.First, states.Last, mask).ToJson(),
        };

        // What stands behind a text's end is nobody's.
        JsonNode OfTokens(Tensor hidden, string field) => hidden.where(mask.unsqueeze(2), given.Expected.GetProperty(field).ToTensor()).ToJson();

        TextTransformerModule Made(TextTransformer form)
        {
            var module = new TextTransformerModule(form, generator);
            module.to(ScalarType.Float64);
            module.eval();
            string prefix = TextNames.Prefix(weights.Keys);
            using (no_grad())
                foreach ((string name, Tensor value) in module.state_dict())
                    value.copy_(weights.Single(pair => TextNames.Ours(pair.Key, prefix, type, form.DenseSize is not null) == name).Value);
            return module;
        }
    }

    private static JsonObject InBatch(KnownAnswerCase given)
    {
        Tensor first = Input(given, "z1"), second = Input(given, "z2");
        Tensor? hard = Optional(given, "z3"), queue = Optional(given, "queue");
        double temperature = Number(given, "temperature"), weight = given.Parameters.TryGetProperty("hard_negative_weight", out JsonElement w) ? w.GetDouble() : 0;
        double others = (first.shape[0] - 1) * Math.Exp(-1 / temperature);
        return new JsonObject
        {
            ["logits"] = InBatchContrast.Logits(first, second, temperature, hard, weight, queue).ToJson(),
            ["per_row_loss"] = InBatchContrast.PerRow(first, second, temperature, hard, weight, queue).ToJson(),
            ["loss"] = InBatchContrast.Loss(first, second, temperature, hard, weight, queue).ToJson(),
            ["closed_form"] = Math.Log(1 + 2 * others + Math.Exp(-2 / temperature + weight)), // orthonormal, hard negatives opposite
        };
    }

    private static JsonObject InBatchGradient(KnownAnswerCase given)
    {
        Tensor first = Input(given, "z1").requires_grad_(), second = Input(given, "z2").requires_grad_();
        InBatchContrast.Loss(first, second, Number(given, "temperature")).backward();
        return new JsonObject { ["grad_z1"] = first.grad!.ToJson(), ["grad_z2"] = second.grad!.ToJson() };
    }

    private static JsonObject Nested(KnownAnswerCase given)
    {
        Tensor first = Input(given, "z1"), second = Input(given, "z2");
        int[] lengths = [.. given.Parameters.GetProperty("dims").EnumerateArray().Select(value => value.GetInt32())];
        double[] weights = Numbers(given.Parameters.GetProperty("weights"));
        return new JsonObject
        {
            ["per_dim"] = new JsonArray([.. lengths.Select(length => Matryoshka.Loss(first, second, [length], null, Loss).ToJson())]),
            ["loss"] = Matryoshka.Loss(first, second, lengths, weights, Loss).ToJson(),
        };

        Tensor Loss(Tensor one, Tensor other) => InBatchContrast.Loss(one, other, 1 / Number(given, "scale"));
    }

    private static JsonObject ConSert(KnownAnswerCase given)
    {
        Tensor perRow = NtXent.PerRow(Input(given, "view1"), Input(given, "view2"), Number(given, "temperature"));
        long rows = perRow.shape[0] / 2;
        Tensor first = perRow.narrow(0, 0, rows).mean(), second = perRow.narrow(0, rows, rows).mean();
        return new JsonObject
        {
            ["loss_a"] = first.ToJson(), ["loss_b"] = second.ToJson(), ["loss_repo_sum"] = first.add(second).ToJson(), ["loss_paper_mean"] = perRow.mean().ToJson(),
        };
    }

    private static JsonObject Clip(KnownAnswerCase given)
    {
        Tensor image = Input(given, "image"), text = Input(given, "text"), scale = tensor(Number(given, "logit_scale_log"));
        return new JsonObject
        {
            ["scale"] = scale.exp().ToJson(),
            ["logits_per_image"] = ClipContrast.Logits(image, text, scale).ToJson(),
            ["loss_image"] = InBatchContrast.Loss(image, text, 1 / scale.exp().item<double>()).ToJson(),
            ["loss_text"] = InBatchContrast.Loss(text, image, 1 / scale.exp().item<double>()).ToJson(),
            ["loss"] = ClipContrast.Loss(image, text, scale).ToJson(),
        };
    }

    private static JsonObject ClipGradient(KnownAnswerCase given)
    {
        Tensor scale = tensor(Number(given, "logit_scale_log")).requires_grad_();
        ClipContrast.Loss(Input(given, "image"), Input(given, "text"), scale).backward();
        return new JsonObject { ["grad_logit_scale"] = scale.grad!.ToJson() };
    }

    private static JsonObject Sigmoid(KnownAnswerCase given)
    {
        Tensor image = Input(given, "image"), text = Input(given, "text"), scale = tensor(Number(given, "scale")), bias = tensor(Number(given, "bias"));
        return new JsonObject { ["logits"] = PairwiseSigmoid.Logits(image, text, scale, bias).ToJson(), ["loss"] = PairwiseSigmoid.Loss(image, text, scale, bias).ToJson() };
    }

    private static JsonObject SigmoidBlocks(KnownAnswerCase given)
    {
        Tensor image = tensor(s_images), text = tensor(s_texts), scale = tensor(10.0), bias = tensor(-10.0);
        double sum = given.Parameters.GetProperty("chunks").EnumerateArray().Sum(chunk =>
        {
            long first = chunk[0].GetInt64();
            Tensor columns = text.narrow(0, first, chunk.GetArrayLength());
            return PairwiseSigmoid.BlockSum(PairwiseSigmoid.Logits(image, columns, scale, bias), first).item<double>();
        });
        return new JsonObject { ["sum_of_chunk_losses"] = sum / image.shape[0], ["full"] = PairwiseSigmoid.Loss(image, text, scale, bias).ToJson() };
    }

    private static JsonObject MomentumSteps(KnownAnswerCase given)
    {
        double momentum = Number(given, "momentum");
        int steps = given.Parameters.GetProperty("steps").GetInt32();
        Tensor online = Input(given, "theta_online"), target = Input(given, "theta_momentum");
        using var learner = new WeightLearner(online, target, momentum);
        using var runner = new StepRunner(learner, new Sgd { Momentum = 0 });
        using var nothing = new Views(zeros(1, ScalarType.Float64));
        var after = new List<JsonNode> { target.ToJson() };
        for (int step = 0; step < steps; step++)
        {
            runner.Run(nothing, new Step(step, steps, seed: 0), rate: 0, constantRate: 0);
            after.Add(learner.TargetWeight.detach().ToJson());
        }
        double kept = Math.Pow(momentum, steps);
        return new JsonObject
        {
            ["sequence"] = new JsonArray([.. after]),
            [$"closed_form_after_{steps}"] = target.mul(kept).add(online.mul(1 - kept)).ToJson(),
        };
    }

    private static JsonObject Pooling(KnownAnswerCase given)
    {
        Tensor embeddings = Input(given, "hidden_states_embedding_output"), layer = Input(given, "hidden_states_layer1"), last = Input(given, "hidden_states_last");
        Tensor mask = Input(given, "attention_mask");
        return new JsonObject
        {
            ["cls"] = TextPoolings.Pool(last, mask, TextPooling.Cls).ToJson(),
            ["mean"] = TextPoolings.Pool(last, mask, TextPooling.Mean).ToJson(),
            ["max"] = TextPoolings.Pool(last, mask, TextPooling.Max).ToJson(),
            ["mean_sqrt_len"] = TextPoolings.Pool(last, mask, TextPooling.MeanSqrt).ToJson(),
            ["weighted_mean"] = TextPoolings.Pool(last, mask, TextPooling.WeightedMean).ToJson(),
            ["last_token"] = TextPoolings.Pool(last, mask, TextPooling.LastToken).ToJson(),
            ["avg_first_last"] = TextPoolings.MeanOfTwo(layer, last, mask).ToJson(),
            ["avg_first_last_paper_static_embeddings"] = TextPoolings.MeanOfTwo(embeddings, last, mask).ToJson(),
        };
    }

    private static JsonObject PaddingChangesNothing(KnownAnswerCase given)
    {
        using var generator = new Generator(1);
        Tensor hidden = empty(2, 3, 4, ScalarType.Float64).normal_(0, 1, generator), mask = tensor(new long[,] { { 1, 1, 1 }, { 1, 1, 0 } });
        Tensor changed = hidden.clone(), longer = cat([hidden, full(2, 2, 4, double.NaN)], 1), longerMask = cat([mask, zeros(2, 2, ScalarType.Int64)], 1);
        changed[1, 2] = double.PositiveInfinity;
        foreach (TextPooling mode in TextPoolings.Parts(TextPoolings.All & ~(TextPooling.FirstLastMean | TextPooling.LastTwoMean)))
        {
            TensorAssert.Equal(TextPoolings.Pool(hidden, mask, mode), TextPoolings.Pool(changed, mask, mode), 0);
            TensorAssert.Equal(TextPoolings.Pool(hidden, mask, mode), TextPoolings.Pool(longer, longerMask, mode), 0);
        }
        return new JsonObject { ["padding_invariance"] = given.Expected.GetProperty("padding_invariance").GetString() };
    }

    private static JsonObject AlignUniform(KnownAnswerCase given)
    {
        Tensor x = Input(given, "x"), y = Input(given, "y");
        double alpha = Number(given, "alpha"), t = Number(given, "t"), ofX = UnitSphere.Uniformity(x, t).item<double>(), ofY = UnitSphere.Uniformity(y, t).item<double>();
        Tensor unit = nn.functional.normalize(x), squares = unit.unsqueeze(0).sub(unit.unsqueeze(1)).square().sum(2);
        long rows = x.shape[0];
        return new JsonObject
        {
            ["alignment_alpha2"] = UnitSphere.Alignment(x, y, alpha).ToJson(),
            ["alignment_alpha1"] = UnitSphere.Alignment(x, y, 1).ToJson(),
            ["uniformity_x"] = ofX,
            ["uniformity_y"] = ofY,
            ["uniformity_mean"] = (ofX + ofY) / 2,
            ["pairwise_sq_distances_x"] = new JsonArray([.. Enumerable.Range(0, (int)rows).SelectMany(i => Enumerable.Range(i + 1, (int)rows - i - 1).Select(j => squares[i, j].ToJson()))]),
            ["uniformity_x_including_self_pairs"] = Math.Log((Math.Exp(ofX) * rows * (rows - 1) + rows) / (rows * rows)),
        };
    }

    private static JsonObject AlignUniformClosedForms(KnownAnswerCase given)
    {
        double t = Number(given, "t");
        Tensor unit = eye(4, dtype: ScalarType.Float64), one = unit.narrow(0, 0, 1);
        return new JsonObject
        {
            ["alignment_identical"] = UnitSphere.Alignment(unit, unit).ToJson(),
            ["alignment_antipodal_alpha2"] = UnitSphere.Alignment(unit, unit.neg()).ToJson(),
            ["uniformity_collapsed"] = UnitSphere.Uniformity(ones(4, 3, ScalarType.Float64), t).ToJson(),
            ["uniformity_two_antipodal"] = UnitSphere.Uniformity(cat([one, one.neg()], 0), t).ToJson(),
            ["uniformity_orthonormal"] = UnitSphere.Uniformity(unit, t).ToJson(),
        };
    }

    private static JsonObject Sets(KnownAnswerCase given)
    {
        var (scores, gold, sets) = (new List<double>(), new List<double>(), new List<string>());
        foreach (JsonProperty set in given.Inputs.GetProperty("subsets").EnumerateObject())
        {
            double[] ours = Numbers(set.Value.GetProperty("sys"));
            scores.AddRange(ours);
            gold.AddRange(Numbers(set.Value.GetProperty("gold")));
            sets.AddRange(Enumerable.Repeat(set.Name, ours.Length));
        }
        var metrics = new SimilarityMetrics(scores, gold, sets);
        return new JsonObject
        {
            ["all"] = metrics.Spearman,
            ["mean"] = metrics.MeanOfSets,
            ["wmean"] = metrics.WeightedMeanOfSets,
            ["per_subset"] = new JsonObject(metrics.OfSets.Select(set => KeyValuePair.Create(set.Key, (JsonNode?)set.Value))),
            ["all_times_100_2dp"] = (100 * metrics.Spearman).ToString("F2", CultureInfo.InvariantCulture),
        };
    }

    private static Tensor PairCosine(Tensor first, Tensor second) => InBatchContrast.Logits(first, second, 1).diag();

    private static double ShortcutWithoutTies(KnownAnswerCase given)
    {
        double[] a = RankCorrelation.Ranks(Numbers(given.Inputs.GetProperty("a"))), b = RankCorrelation.Ranks(Numbers(given.Inputs.GetProperty("b")));
        return 1 - 6 * a.Zip(b, (x, y) => (x - y) * (x - y)).Sum() / (a.Length * (a.Length * a.Length - 1.0));
    }

    private static Tensor? Optional(KnownAnswerCase given, string name) => given.Inputs.TryGetProperty(name, out JsonElement rows) ? rows.ToTensor() : null;

    private static double[] Numbers(JsonElement list) => [.. list.EnumerateArray().Select(value => value.GetDouble())];

    private static Tensor Input(KnownAnswerCase given, string name) => given.Inputs.GetProperty(name).ToTensor();

    private static double Number(KnownAnswerCase given, string parameter) => given.Parameters.GetProperty(parameter).GetDouble();
}
