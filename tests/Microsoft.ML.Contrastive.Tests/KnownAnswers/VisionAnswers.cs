using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>Objectives, schedules, queue and optimizers.</summary>
internal static partial class VisionAnswers
{
    public static IReadOnlyDictionary<string, Answer> All { get; } = new Dictionary<string, Answer>
    {
        ["infonce_moco_queue"] = InfoNceAgainstQueue,
        ["queue_enqueue_ring"] = Enqueue,
        ["nt_xent"] = NtXentLoss,
        ["moco_v3_symmetric"] = MoCoV3Loss,
        ["byol"] = ByolLoss,
        ["simsiam"] = SimSiamLoss,
        ["invaspread_official"] = InvarianceSpreadReleased,
        ["invaspread_paper"] = InvarianceSpreadPaper,
        ["instdisc_nce"] = InstDiscNce,
        ["instdisc_full_softmax"] = InstDiscSoftmax,
        ["cmc_nce_two_views"] = CmcTwoViews,
        ["rgb_to_lab_cmc"] = Lab,
        ["swav_sinkhorn"] = Assignments,
        ["swav_sinkhorn_soft"] = Assignments,
        ["sinkhorn_constant_scores"] = Assignments,
        ["swav_swapped_prediction"] = SwappedPrediction,
        ["simclr_v2_distillation"] = Distil,
        ["dino_ce_centred"] = CentredCrossEntropy,
        ["dino_teacher_temp_linear"] = given => AtSteps(given, epoch => Dino.Warmed(
            Number(given, "warmup_teacher_temp"), Number(given, "teacher_temp"), Whole(given, "warmup_epochs"), epoch), "epoch_"),
        ["sincos_2d_position"] = Positions,
        ["cpc_infonce_batch_negatives"] = CpcBatchNegatives,
        ["cpc_infonce_grid_rows_below"] = CpcGrid,
        ["cpc_patch_grid"] = CpcPatches,
        ["closed_forms_when_all_similarities_equal"] = FlatLosses.Answer,
        ["ema_constant"] = ConstantMomentum,
        ["ema_cosine_byol"] = given => AtSteps(given, step => MomentumSchedule.CosineToOne(Number(given, "base"))(step, Whole(given, "total_steps"))),
        ["lr_warmup_cosine"] = given => AtSteps(given, step => new LearningRate(1) { Schedule = new CosineRate(Number(given, "final") / Number(given, "peak")) }.At(
            Number(given, "peak"), Number(given, "warmup_steps"), Whole(given, "total_steps"), step)),
        ["lars_two_steps"] = LarsSteps,
        ["radial_gradient_is_zero"] = RadialGradients,
    };

    private static JsonObject InfoNceAgainstQueue(KnownAnswerCase given)
    {
        Tensor query = Input(given, "query_raw"), key = Input(given, "key_raw"), queue = Input(given, "queue_raw");
        double temperature = Number(given, "temperature");
        Tensor keys = normalize(queue); // InfoNce takes queued keys as they are
        Tensor loss = InfoNce.Loss(query, key, keys, temperature);
        loss.backward();
        return new JsonObject
        {
            ["loss"] = loss.ToJson(),
            ["per_sample"] = InfoNce.PerRow(query, key, keys, temperature).ToJson(),
            ["logits_row0"] = InfoNce.Logits(query, key, keys, temperature)[0].ToJson(),
            ["grad_query_raw"] = Gradient(query).ToJson(),
            ["grad_key"] = LargestGradient(key),
            ["grad_queue"] = LargestGradient(queue),
        };
    }

    private static JsonObject Enqueue(KnownAnswerCase given)
    {
        Tensor rows = given.Inputs.GetProperty("queue").ToTensor(), keys = given.Inputs.GetProperty("keys").ToTensor();
        bool areNumbers = rows.dim() == 1; // numbers stand in for rows of length one
        (rows, keys) = areNumbers ? (rows.unsqueeze(1), keys.unsqueeze(1)) : (rows, keys);
        using var generator = new Generator(0);
        using var queue = new KeyQueue(Whole(given, "capacity"), rows.shape[1], generator);
        queue.to(ScalarType.Float64);
        Dictionary<string, Tensor> state = queue.state_dict();
        using (no_grad())
        {
            state["keys"].copy_(rows);
            state["pointer"].fill_(given.Inputs.GetProperty("pointer").GetInt64());
        }
        queue.Enqueue(keys);
        return new JsonObject { ["queue"] = (areNumbers ? queue.Keys.squeeze(1) : queue.Keys).ToJson(), ["pointer"] = queue.Pointer };
    }

    private static JsonObject NtXentLoss(KnownAnswerCase given)
    {
        Tensor first = Input(given, "z1_raw"), second = Input(given, "z2_raw");
        Tensor loss = NtXent.Loss(first, second, Number(given, "temperature"));
        loss.backward();
        Tensor perRow = NtXent.PerRow(first, second, Number(given, "temperature"));
        Tensor[] directions = perRow.chunk(2, 0);
        return new JsonObject
        {
            ["loss_mean_over_2N"] = loss.ToJson(),
            ["loss_google_code"] = directions[0].add(directions[1]).mean().ToJson(),
            ["per_sample"] = perRow.ToJson(),
            ["grad_z1_raw"] = Gradient(first).ToJson(),
            ["grad_z2_raw"] = Gradient(second).ToJson(),
        };
    }

    private static JsonObject Distil(KnownAnswerCase given)
    {
        Tensor teacher = Input(given, "teacher_logits"), student = Input(given, "student_logits"), labels = given.Inputs.GetProperty("labels").ToTensor().to(ScalarType.Int64);
        double temperature = Number(given, "temperature"), weight = Number(given, "alpha");
        Distillation.Loss(student, teacher, temperature).backward();
        JsonNode? alone = Gradient(student).ToJson();
        student.grad!.zero_();
        Tensor total = Distillation.WithLabels(student, teacher, labels, temperature, weight);
        total.backward();
        return new JsonObject
        {
            ["distill_loss"] = Distillation.Loss(student, teacher, temperature).ToJson(),
            ["distill_per_sample"] = Distillation.PerRow(student, teacher, temperature).ToJson(),
            ["teacher_probability"] = softmax(teacher.div(temperature), 1).ToJson(),
            ["grad_distill_student_logits"] = alone,
            ["cross_entropy"] = LabelCrossEntropy.Loss(student, labels).ToJson(),
            ["total"] = total.ToJson(),
            ["grad_total_student_logits"] = Gradient(student).ToJson(),
            ["grad_teacher_logits"] = LargestGradient(teacher),
        };
    }

    private static JsonObject MoCoV3Loss(KnownAnswerCase given)
    {
        Tensor q1 = Input(given, "q1_raw"), q2 = Input(given, "q2_raw"), k1 = Input(given, "k1_raw"), k2 = Input(given, "k2_raw");
        double temperature = Number(given, "temperature");
        Tensor loss = BatchInfoNce.Symmetric(q1, q2, k1, k2, temperature);
        loss.backward();
        return new JsonObject
        {
            ["loss_q1_k2"] = BatchInfoNce.Loss(q1, k2, temperature).ToJson(),
            ["loss_q2_k1"] = BatchInfoNce.Loss(q2, k1, temperature).ToJson(),
            ["loss"] = loss.ToJson(),
            ["grad_q1_raw"] = Gradient(q1).ToJson(),
            ["grad_k"] = Math.Max(LargestGradient(k1), LargestGradient(k2)),
        };
    }

    private static JsonObject RadialGradients(KnownAnswerCase given)
    {
        const double temperature = 0.2;
        return new JsonObject
        {
            ["nt_xent"] = Radial((x, y) => NtXent.Loss(x, y, temperature)),
            ["moco"] = Radial((x, y) => InfoNce.Loss(x, y, normalize(y), temperature)),
            ["byol"] = Radial(NormalizedDistance.Loss),
            ["mocov3"] = Radial((x, y) => BatchInfoNce.Loss(x, y, temperature)),
        };

        double Radial(Func<Tensor, Tensor, Tensor> loss)
        {
            Tensor x = Input(given, "x_raw");
            loss(x, Input(given, "y_raw")).backward();
            return x.detach().mul(x.grad!).sum(1).abs().max().item<double>();
        }
    }

    private static JsonObject ByolLoss(KnownAnswerCase given)
    {
        Tensor p1 = Input(given, "p1_raw"), p2 = Input(given, "p2_raw"), z1 = Input(given, "target_z1_raw"), z2 = Input(given, "target_z2_raw");
        Tensor loss = NormalizedDistance.Symmetric(p1, p2, z1, z2);
        loss.backward();
        return new JsonObject
        {
            ["loss_1to2"] = NormalizedDistance.Loss(p1, z2).ToJson(),
            ["loss_2to1"] = NormalizedDistance.Loss(p2, z1).ToJson(),
            ["loss_symmetric_sum"] = loss.ToJson(),
            ["grad_p1_raw"] = Gradient(p1).ToJson(),
            ["grad_target"] = Math.Max(LargestGradient(z1), LargestGradient(z2)),
        };
    }

    private static JsonObject SimSiamLoss(KnownAnswerCase given)
    {
        Tensor p1 = Input(given, "p1_raw"), p2 = Input(given, "p2_raw"), z1 = Input(given, "z1_raw"), z2 = Input(given, "z2_raw");
        Tensor loss = NegativeCosine.Symmetric(p1, p2, z1, z2);
        loss.backward();
        double off = SquaredDistance(p1, z2) + SquaredDistance(p2, z1) - (4 + 4 * loss.item<double>());
        return new JsonObject
        {
            ["loss"] = loss.ToJson(),
            ["identity"] = Math.Abs(off) < 1e-9 ? "loss_byol_sum = 4 + 4*loss_simsiam" : "none",
            ["identity_check"] = off,
            ["grad_p1_raw"] = Gradient(p1).ToJson(),
            ["grad_z"] = Math.Max(LargestGradient(z1), LargestGradient(z2)),
        };

        // BYOL's loss of one direction, by its definition.
        static double SquaredDistance(Tensor prediction, Tensor target)
            => normalize(prediction).sub(normalize(target)).square().sum(1).mean().item<double>();
    }

    private static JsonObject? InvarianceSpreadReleased(KnownAnswerCase given)
    {
        if (Whole(given, "negM") != 1)
            return null; // a weight of the negatives that the library does not have
        double temperature = Number(given, "temperature");
        Tensor first = Input(given, "view1_raw"), second = Input(given, "view2_raw");
        // The gradient that is given is the one of the unit rows.
        Tensor rows = normalize(cat([first, second], 0)).detach().requires_grad_();
        InvarianceSpread.LossOfUnitRows(rows, rows.detach(), temperature).backward();
        using var noGradient = no_grad();
        Tensor logits = ViewPairs.WithoutSelf(rows.mm(rows.t()).div(temperature));
        return new JsonObject
        {
            ["loss"] = InvarianceSpread.Loss(first, second, temperature).ToJson(),
            ["p_positive"] = softmax(logits, 1).gather(1, ViewPairs.Partners(first.shape[0], first.device).unsqueeze(1)).squeeze(1).ToJson(),
            ["grad_features_anchor_only"] = Gradient(rows).ToJson(),
        };
    }

    private static JsonObject InvarianceSpreadPaper(KnownAnswerCase given)
    {
        Tensor first = Input(given, "view1_raw"), second = Input(given, "view2_raw");
        Tensor loss = InvarianceSpread.PaperLoss(first, second, Number(given, "temperature"));
        return new JsonObject { ["loss_mean_over_N"] = loss.ToJson(), ["loss_sum"] = loss.mul(first.shape[0]).ToJson() };
    }

    private static JsonObject InstDiscNce(KnownAnswerCase given)
    {
        Tensor features = Input(given, "features_raw"), bank = normalize(given.Inputs.GetProperty("bank_raw").ToTensor());
        Tensor indices = Indices(given, "sample_idx"), own = indices.select(1, 0);
        (long rows, double epsilon) = (bank.shape[0], Number(given, "eps"));
        Tensor logits = InstanceDiscrimination.SampledLogits(features, bank, indices, Number(given, "temperature"));
        Tensor logPartition = InstanceDiscrimination.LogPartition(logits, rows);
        Tensor loss = InstanceDiscrimination.NceLoss(logits, logPartition, rows, epsilon);
        Tensor proximal = InstanceDiscrimination.Proximal(features, bank.index_select(0, own));
        loss.backward();
        using MemoryBank memory = BankOf(bank);
        memory.Update(own, features, Number(given, "bank_momentum"));
        return new JsonObject
        {
            ["Z"] = logPartition.exp().ToJson(),
            ["P"] = logits.sub(logPartition).exp().detach().ToJson(),
            ["loss"] = loss.ToJson(),
            ["loss_eps0"] = InstanceDiscrimination.NceLoss(logits, logPartition, rows).ToJson(),
            ["grad_features_raw_Z_fixed"] = Gradient(features).ToJson(),
            ["proximal_mean_sq_dist"] = proximal.ToJson(),
            ["loss_with_proximal_lambda_30"] = loss.add(proximal, alpha: 30).ToJson(),
            ["loss_with_proximal_lambda_10"] = loss.add(proximal, alpha: 10).ToJson(),
            ["bank_rows_after_update"] = memory.Lookup(own).ToJson(),
        };
    }

    private static JsonObject InstDiscSoftmax(KnownAnswerCase given)
    {
        Tensor features = Input(given, "features_raw"), bank = normalize(given.Inputs.GetProperty("bank_raw").ToTensor()), own = Indices(given, "indices");
        Tensor loss = InstanceDiscrimination.SoftmaxLoss(features, bank, own, Number(given, "temperature"));
        loss.backward();
        return new JsonObject
        {
            ["loss"] = loss.ToJson(),
            ["per_sample"] = InstanceDiscrimination.SoftmaxPerRow(features, bank, own, Number(given, "temperature")).ToJson(),
            ["grad_features_raw"] = Gradient(features).ToJson(),
        };
    }

    private static JsonObject CmcTwoViews(KnownAnswerCase given)
    {
        Tensor luminance = Input(given, "feat_l_raw"), color = Input(given, "feat_ab_raw"), indices = Indices(given, "sample_idx"), own = indices.select(1, 0);
        Tensor luminanceRows = normalize(given.Inputs.GetProperty("bank_l_raw").ToTensor()), colorRows = normalize(given.Inputs.GetProperty("bank_ab_raw").ToTensor());
        double temperature = Number(given, "temperature"), momentum = Number(given, "bank_momentum");
        (Tensor nceLuminance, Tensor zLuminance) = Nce(luminance, colorRows);
        (Tensor nceColor, Tensor zColor) = Nce(color, luminanceRows);
        Tensor softmaxLuminance = Softmax(luminance, colorRows), softmaxColor = Softmax(color, luminanceRows);
        return new JsonObject
        {
            ["Z_l"] = zLuminance.ToJson(),
            ["Z_ab"] = zColor.ToJson(),
            ["loss_l"] = nceLuminance.ToJson(),
            ["loss_ab"] = nceColor.ToJson(),
            ["loss_total"] = nceLuminance.add(nceColor).ToJson(),
            ["softmax_loss_l"] = softmaxLuminance.ToJson(),
            ["softmax_loss_ab"] = softmaxColor.ToJson(),
            ["softmax_total"] = softmaxLuminance.add(softmaxColor).ToJson(),
            ["bank_l_after"] = After(luminanceRows, luminance),
            ["bank_ab_after"] = After(colorRows, color),
        };

        (Tensor Loss, Tensor Z) Nce(Tensor features, Tensor bank)
        {
            Tensor logits = InstanceDiscrimination.SampledLogits(features, bank, indices, temperature);
            Tensor logPartition = InstanceDiscrimination.LogPartition(logits, bank.shape[0]);
            return (InstanceDiscrimination.NceLoss(logits, logPartition, bank.shape[0], Number(given, "eps")), logPartition.exp());
        }

        // The released code's softmax form is over the sampled rows, the own one in front.
        Tensor Softmax(Tensor features, Tensor bank)
            => InstanceDiscrimination.SampledSoftmaxLoss(InstanceDiscrimination.SampledLogits(features, bank, indices, temperature));

        JsonNode After(Tensor rows, Tensor features)
        {
            using MemoryBank memory = BankOf(rows);
            memory.Update(own, features, momentum);
            return memory.Lookup(own).ToJson();
        }
    }

    private static JsonObject Lab(KnownAnswerCase given)
    {
        Tensor rgb = given.Inputs.GetProperty("pixels_rgb_uint8").ToTensor().div(255);
        return new JsonObject { ["lab"] = cat(ColorPlanes.Lab(rgb), 1).ToJson(), ["normalised"] = cat(ColorPlanes.FromRgb(rgb, CmcColorSpace.Lab), 1).ToJson() };
    }

    /// <summary>A memory with these rows.</summary>
    private static MemoryBank BankOf(Tensor rows)
    {
        using var generator = new Generator(0);
        var bank = new MemoryBank(rows.shape[0], rows.shape[1], generator);
        bank.to(ScalarType.Float64);
        using (no_grad())
            bank.Rows.copy_(rows);
        return bank;
    }

    private static Tensor Indices(KnownAnswerCase given, string name) => given.Inputs.GetProperty(name).ToTensor().to(ScalarType.Int64);

    private static JsonObject Assignments(KnownAnswerCase given)
    {
        Tensor scores = given.Inputs.TryGetProperty("scores", out JsonElement own) ? own.ToTensor() : Scores(given, "z_raw");
        double epsilon = Number(given, "epsilon");
        Tensor assigned = Sinkhorn.Assign(scores, epsilon, (int)Whole(given, "iterations"));
        return new JsonObject
        {
            ["scores"] = scores.ToJson(),
            ["Q"] = assigned.ToJson(),
            ["row_sums"] = assigned.sum(1).ToJson(),
            ["col_sums"] = assigned.sum([0]).ToJson(),
            ["col_sums_1_iter"] = Sinkhorn.Assign(scores, epsilon, 1).sum([0]).ToJson(),
            ["col_sums_100_iters"] = Sinkhorn.Assign(scores, epsilon, 100).sum([0]).ToJson(),
            ["col_target"] = (double)scores.shape[0] / scores.shape[1],
        };
    }

    private static JsonObject SwappedPrediction(KnownAnswerCase given)
    {
        Tensor[] scores = [Scores(given, "z1_raw"), Scores(given, "z2_raw"), Scores(given, "z_local_raw")];
        Tensor[] assigned = [.. scores[..2].Select(view => Sinkhorn.Assign(view, Number(given, "epsilon"), (int)Whole(given, "iterations")))];
        return new JsonObject
        {
            ["Q1"] = assigned[0].ToJson(),
            ["Q2"] = assigned[1].ToJson(),
            ["loss_2_views"] = CrossViewEntropy.Loss(assigned, scores[..2], Number(given, "temperature")).ToJson(),
            ["loss_2_plus_1_views"] = CrossViewEntropy.Loss(assigned, scores, Number(given, "temperature")).ToJson(),
        };
    }

    private static JsonObject CentredCrossEntropy(KnownAnswerCase given)
    {
        Tensor[] student = Views("student"), teacher = Views("teacher");
        student[0] = student[0].requires_grad_();
        Tensor old = given.Inputs.GetProperty("center").ToTensor();
        var centre = new Centre(old.shape[0], Number(given, "center_momentum"));
        centre.to(ScalarType.Float64);
        using (no_grad())
            centre.Mean.copy_(old);
        Tensor[] targets = [.. teacher.Select(scores => SelfDistillation.Targets(scores, centre.Mean, Number(given, "teacher_temp")))];
        Tensor two = Loss(2), three = Loss(3);
        three.backward();
        centre.Update(cat(teacher, 0));
        return new JsonObject
        {
            ["loss_2_views"] = two.ToJson(),
            ["terms_2_views"] = CrossViewEntropy.Terms(teacher.Length, 2),
            ["loss_2_plus_1_views"] = three.ToJson(),
            ["terms_2_plus_1_views"] = CrossViewEntropy.Terms(teacher.Length, 3),
            ["center_after"] = centre.Mean.ToJson(),
            ["grad_student1_2plus1"] = Gradient(student[0]).ToJson(),
        };

        Tensor[] Views(string name) => [.. given.Inputs.GetProperty(name).EnumerateArray().Select(view => view.ToTensor())];

        Tensor Loss(int views) => CrossViewEntropy.Loss(targets, student[..views], Number(given, "student_temp"));
    }

    private static JsonObject? CpcBatchNegatives(KnownAnswerCase given)
    {
        if (Number(given, "temperature") != 1)
            return null; // a log-bilinear score has none
        Tensor context = Input(given, "context");
        Tensor[] losses = [.. Enumerable.Range(1, (int)Whole(given, "steps")).Select(k => CpcInfoNce.Loss(
            AsGrid(given.Inputs.GetProperty($"z_step{k}").ToTensor()),
            AsGrid(context.mm(given.Inputs.GetProperty($"W{k}").ToTensor().t())), 0, CpcCandidates.SamePosition))];
        Tensor perStep = stack(losses);
        perStep.mean().backward();
        return new JsonObject
        {
            ["loss_per_step"] = perStep.ToJson(),
            ["loss_mean_over_steps"] = perStep.mean().ToJson(),
            ["loss_sum"] = perStep.sum().ToJson(),
            ["grad_context"] = Gradient(context).ToJson(),
        };

        static Tensor AsGrid(Tensor rows) => rows.unsqueeze(1).unsqueeze(1);
    }

    private static JsonObject CpcGrid(KnownAnswerCase given)
    {
        Tensor parts = given.Inputs.GetProperty("z_grid_BHWD").ToTensor(), contexts = given.Inputs.GetProperty("context_grid_BHWD").ToTensor();
        (double scale, long rows) = (Number(given, "emb_scale"), parts.shape[1]);
        var losses = new List<Tensor>();
        var predicted = new JsonArray();
        for (int k = 1; k <= Whole(given, "steps"); k++)
        {
            Tensor predictions = linear(contexts.narrow(1, 0, rows - k), given.Inputs.GetProperty($"W{k}").ToTensor()).mul(scale);
            losses.Add(CpcInfoNce.Loss(parts, predictions, firstRow: k, CpcCandidates.AllPositions));
            predicted.Add(predictions.numel() / predictions.shape[3]);
        }
        return new JsonObject
        {
            ["loss_per_step"] = stack(losses).ToJson(),
            ["loss_sum"] = stack(losses).sum().ToJson(),
            ["n_predictions_per_step"] = predicted,
            ["n_candidates"] = Math.Exp(CpcInfoNce.FlatLoss(parts.shape[0], rows * parts.shape[2], CpcCandidates.AllPositions)),
        };
    }

    private static JsonObject CpcPatches(KnownAnswerCase given)
    {
        int image = given.Inputs.GetProperty("image").GetInt32(), patch = given.Inputs.GetProperty("patch").GetInt32(), stride = given.Inputs.GetProperty("stride").GetInt32();
        int side = Windows.Along(image, patch, stride);
        return new JsonObject { ["grid"] = new JsonArray(side, side), ["n_patches"] = side * side, ["overlap"] = (double)(patch - stride) / patch };
    }

    /// <summary>Similarity of a case's rows to its prototypes, by the library's prototypes.</summary>
    private static Tensor Scores(KnownAnswerCase given, string rows)
    {
        Tensor unit = given.Inputs.GetProperty("prototypes_unit").ToTensor();
        using var generator = new Generator(0);
        var prototypes = new Prototypes(unit.shape[0], unit.shape[1], generator);
        prototypes.to(ScalarType.Float64);
        using (no_grad())
            prototypes.Weight.copy_(unit);
        return prototypes.Scores(given.Inputs.GetProperty(rows).ToTensor()).detach();
    }

    private static JsonObject? Positions(KnownAnswerCase given)
    {
        if (Number(given, "temperature") != 10_000)
            return null; // the library has no other
        (long height, long width, long size) = (Whole(given, "grid_height"), Whole(given, "grid_width"), Whole(given, "dim"));
        using var generator = new Generator(0);
        using var module = new VisionTransformerModule(new VisionTransformer { Width = (int)size, Heads = 1, Depth = 1 }, 3, (int)height, (int)width, generator);
        Tensor table = module.state_dict()["pos_embed"][0];
        return new JsonObject
        {
            ["row_major"] = table[1..].ToJson(),
            ["published_order"] = VisionTransformerModule.SinCosPositions(height, width, size, publishedOrder: true).ToJson(),
            ["class_token_row"] = table[0].ToJson(),
        };
    }

    private static JsonObject ConstantMomentum(KnownAnswerCase given)
    {
        double momentum = Number(given, "momentum");
        using var learner = new WeightLearner(given.Inputs.GetProperty("online").ToTensor(), given.Inputs.GetProperty("target0").ToTensor(), momentum);
        using var runner = new StepRunner(learner, new Sgd { Momentum = 0 });
        // The keys say what is asked for: after_1000, after_1_to_5.
        (string Key, bool IsRange, int Last)[] asked = [.. given.Expected.EnumerateObject().Select(key => AfterKey().Match(key.Name)).Where(match => match.Success)
            .Select(match => (match.Value, match.Groups["range"].Success, int.Parse(match.Groups["last"].Value, CultureInfo.InvariantCulture)))];
        using var nothing = new Views(zeros(1, ScalarType.Float64));
        var after = new List<double>();
        for (int steps = asked.Max(entry => entry.Last); after.Count < steps; after.Add(learner.TargetWeight.item<double>()))
            runner.Run(nothing, new Step(after.Count, steps, seed: 0), rate: 0, constantRate: 0);
        bool isClosedForm = after.Index().All(entry => Math.Abs(entry.Item - (1 - Math.Pow(momentum, entry.Index + 1))) < 1e-9);
        var answer = new JsonObject { ["closed_form"] = isClosedForm ? "1-m^k" : "another" };
        foreach ((string key, bool isRange, int last) in asked)
            answer[key] = isRange ? new JsonArray([.. after.Take(last)]) : after[last - 1];
        return answer;
    }

    private static JsonObject LarsSteps(KnownAnswerCase given)
    {
        Tensor gradient = given.Inputs.GetProperty("grad_both_steps").ToTensor();
        var settings = new Lars
        {
            WeightDecay = Number(given, "weight_decay"), TrustCoefficient = Number(given, "trust_coefficient"), Momentum = Number(given, "momentum"),
        };
        using var learner = new WeightLearner(given.Inputs.GetProperty("weight").ToTensor());
        using var runner = new StepRunner(learner, settings);
        using var views = new Views(gradient);
        var answer = new JsonObject();
        for (int step = 1; step <= 2; step++)
        {
            using (no_grad())
                answer[$"trust_{step}"] = learner.Weight.dim() <= 1 ? 1
                    : LarsOptimizer.Trust(learner.Weight, gradient.add(learner.Weight, alpha: settings.WeightDecay), settings.TrustCoefficient).ToJson();
            runner.Run(views, new Step(step - 1, 2, seed: 0), Number(given, "lr"), Number(given, "lr"));
            answer[$"weight_{step}"] = learner.Weight.detach().ToJson();
        }
        return answer;
    }

    /// <summary>A schedule at the steps that the case asks for: its keys are step_0, step_10 and so on.</summary>
    private static JsonObject AtSteps(KnownAnswerCase given, Func<long, double> schedule, string prefix = "step_")
        => new(given.Expected.EnumerateObject()
            .Where(key => key.Name.StartsWith(prefix, StringComparison.Ordinal))
            .Select(key => KeyValuePair.Create(key.Name, (JsonNode?)schedule(long.Parse(key.Name[prefix.Length..], CultureInfo.InvariantCulture)))));

    [GeneratedRegex(@"^after_(?<range>1_to_)?(?<last>\d+)$")]
    private static partial Regex AfterKey();

    private static Tensor Input(KnownAnswerCase given, string name) => given.Inputs.GetProperty(name).ToTensor().requires_grad_();

    private static double Number(KnownAnswerCase given, string parameter) => given.Parameters.GetProperty(parameter).GetDouble();

    private static long Whole(KnownAnswerCase given, string parameter) => given.Parameters.GetProperty(parameter).GetInt64();

    private static Tensor Gradient(Tensor input) => input.grad ?? zeros_like(input);

    private static double LargestGradient(Tensor input) => Gradient(input).abs().max().item<double>();
}
