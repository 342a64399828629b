using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>Image views.</summary>
internal static partial class ViewAnswers
{
    public static IReadOnlyDictionary<string, Answer> All { get; } = new Dictionary<string, Answer>
    {
        ["resized_crop"] = ResizedCrop,
        ["resize_weight_matrix"] = WeightMatrix,
        ["horizontal_flip"] = given => InBytes(given, picture => HorizontalFlip.Apply(picture.Planes, picture.Width)),
        ["color_adjust"] = AdjustColors,
        ["color_jitter"] = AdjustColors,
        ["grayscale_3_channels"] = Gray,
        ["gaussian_blur"] = GaussianBlur,
        ["solarize"] = given => InBytes(given, picture => Solarize.Apply(picture.Planes, Number(given.Parameters, "threshold_float"))),
        ["normalise"] = NormaliseChannels,
        ["random_resized_crop_box"] = Box,
        ["multi_crop_box_sides"] = BoxSides,
        ["composed_view"] = Compose,
        ["patchify"] = Patchify,
    };

    private static JsonObject? ResizedCrop(KnownAnswerCase given)
    {
        if (FilterOf(given) is not { } interpolation)
            return null;
        JsonElement parameters = given.Parameters;
        var box = new CropBox(
            Integer(parameters, "crop_top"), Integer(parameters, "crop_left"), Integer(parameters, "crop_height"), Integer(parameters, "crop_width"));
        TestPicture resized = TestPicture.Read(given.Inputs)
            .Resized(box, Integer(parameters, "out_height"), Integer(parameters, "out_width"), interpolation);
        int[] shape = resized.IsFlat ? [resized.Height, resized.Width] : [resized.Height, resized.Width, resized.Channels];
        return new JsonObject { ["shape"] = JsonSerializer.SerializeToNode(shape), ["float"] = resized.ToJson() };
    }

    private static JsonObject? WeightMatrix(KnownAnswerCase given)
    {
        if (FilterOf(given) is not { } interpolation)
            return null;
        int input = Integer(given.Parameters, "n_in"), output = Integer(given.Parameters, "n_out");
        var weights = new ResizeWeights(new ResizeAxis(input, output), interpolation);
        var matrix = new JsonArray();
        for (int i = 0; i < output; i++)
        {
            var row = new float[input];
            weights.Of(i, out int first).CopyTo(row.AsSpan(first));
            matrix.Add(JsonSerializer.SerializeToNode(row));
        }
        return new JsonObject { ["matrix"] = matrix };
    }

    /// <summary>Null where the case asks for a filter that the library does not have.</summary>
    private static Interpolation? FilterOf(KnownAnswerCase given)
        => !given.Parameters.GetProperty("antialias").GetBoolean() ? null
            : given.Parameters.GetProperty("interpolation").GetString() switch
            {
                "bilinear" => Interpolation.Bilinear,
                "bicubic" => Interpolation.Bicubic,
                _ => null,
            };

    private static JsonObject? AdjustColors(KnownAnswerCase given)
    {
        TestPicture picture = TestPicture.Read(given.Inputs);
        foreach (JsonElement step in given.Parameters.GetProperty("steps").EnumerateArray())
        {
            if (!Enum.TryParse(step.GetProperty("op").GetString(), ignoreCase: true, out ColorStep colorStep))
                return null;
            ColorAdjust.Apply(colorStep, picture.Planes, picture.Channels, Number(step, "factor"));
        }
        return new JsonObject { ["float"] = picture.ToJson() };
    }

    private static JsonObject Gray(KnownAnswerCase given)
    {
        TestPicture picture = TestPicture.Read(given.Inputs);
        Grayscale.Apply(picture.Planes);
        int size = picture.Height * picture.Width;
        Assert.Equal(picture.Planes[..size], picture.Planes[size..(2 * size)]);
        Assert.Equal(picture.Planes[..size], picture.Planes[(2 * size)..]);
        return new JsonObject { ["float_one_channel"] = new TestPicture(picture.Planes[..size], picture.Height, picture.Width, 1, IsFlat: true).ToJson() };
    }

    private static JsonObject GaussianBlur(KnownAnswerCase given)
    {
        TestPicture picture = TestPicture.Read(given.Inputs);
        float[] kernelX = Kernel("x"), kernelY = Kernel("y");
        picture.BlurWith(kernelX, kernelY);
        var answer = new JsonObject { ["kernel_x"] = JsonSerializer.SerializeToNode(kernelX), ["kernel_y"] = JsonSerializer.SerializeToNode(kernelY) };
        if (given.Expected.TryGetProperty("rows", out JsonElement rows)) // which rows are listed is known from the answer only
        {
            JsonArray all = picture.ToJson();
            answer["rows"] = JsonNode.Parse(rows.GetRawText());
            answer["float_rows"] = new JsonArray([.. rows.EnumerateArray().Select(row => all[row.GetInt32()]!.DeepClone())]);
        }
        else
        {
            answer["float"] = picture.ToJson();
        }
        return answer;

        float[] Kernel(string axis)
        {
            var kernel = new float[Integer(given.Parameters, "kernel_size_" + axis)];
            Blur.FillKernel(kernel, given.Parameters.GetProperty("sigma_" + axis).GetDouble());
            return kernel;
        }
    }

    private static JsonObject NormaliseChannels(KnownAnswerCase given)
    {
        TestPicture picture = TestPicture.Read(given.Inputs);
        Normalise.Apply(picture.Planes, new Normalization(Numbers(given.Parameters, "mean"), Numbers(given.Parameters, "std")), picture.Planes);
        return new JsonObject { ["float"] = picture.ToJson() };
    }

    private static JsonObject Box(KnownAnswerCase given)
    {
        int height = Integer(given.Inputs, "picture_height"), width = Integer(given.Inputs, "picture_width");
        double[] scale = Doubles(given.Parameters, "scale"), ratio = Doubles(given.Parameters, "ratio");
        var rule = new RandomResizedCrop(scale[0], scale[1], ratio[0], ratio[1]);
        double[][] attempts = [.. given.Inputs.GetProperty("attempts_area_u_and_log_aspect_v").EnumerateArray().Select(pair => pair.Deserialize<double[]>()!)];

        // The position is drawn after the try that fits, so it follows that one's numbers in the stream.
        CropBox.Proposal[] proposals =
            [.. attempts.Take(CropBox.MaxAttempts).Select(pair => CropBox.Propose(height, width, rule, pair[0], pair[1]))];
        int used = Array.FindIndex(proposals, proposal => proposal.Fits) + 1;
        if (used == 0)
            used = proposals.Length;
        var draws = new GivenDraws([.. attempts.Take(used).SelectMany(pair => pair), .. Doubles(given.Inputs, "position_i_and_j")]);
        CropBox box = CropBox.Draw(height, width, rule, ref draws, out int attempt);
        return new JsonObject
        {
            ["box"] = new JsonObject
            {
                ["top"] = box.Top,
                ["left"] = box.Left,
                ["height"] = box.Height,
                ["width"] = box.Width,
                ["attempt"] = attempt,
                ["fallback"] = attempt == 0,
            },
            ["trace"] = new JsonArray(
            [
                .. proposals.Take(attempt == 0 ? CropBox.MaxAttempts : attempt).Select(proposal => new JsonObject
                {
                    ["target_area"] = proposal.TargetArea,
                    ["aspect"] = proposal.Aspect,
                    ["width"] = proposal.Width,
                    ["height"] = proposal.Height,
                    ["accepted"] = proposal.Fits,
                }),
            ]),
        };
    }

    /// <summary>The table's questions (area shares and picture sides) stand among its answers.</summary>
    private static JsonObject BoxSides(KnownAnswerCase given)
    {
        double aspect = given.Parameters.GetProperty("aspect").GetDouble();
        var rows = new JsonArray();
        foreach (JsonElement row in given.Expected.GetProperty("rows").EnumerateArray())
        {
            double[] scale = Doubles(row, "scale");
            int side = Integer(row, "picture_side");
            var rule = new RandomResizedCrop(scale[0], scale[1], aspect, aspect);
            JsonObject answer = JsonNode.Parse(row.GetRawText())!.AsObject();
            answer["box_side_smallest"] = CropBox.Propose(side, side, rule, 0, 0).Width;
            answer["box_side_largest"] = CropBox.Propose(side, side, rule, 1, 0).Width;
            rows.Add(answer);
        }
        return new JsonObject { ["rows"] = rows };
    }

    private static JsonObject? Compose(KnownAnswerCase given)
    {
        TestPicture picture = TestPicture.Read(given.Inputs);
        foreach (string step in given.Parameters.GetProperty("steps").EnumerateArray().Select(step => step.GetString()!))
        {
            float[] numbers = [.. NumberPattern().Matches(step).Select(match => float.Parse(match.Value, CultureInfo.InvariantCulture))];
            string operation = step.Split(' ')[0];
            if (operation == "crop" && step.Contains("antialias", StringComparison.Ordinal))
            {
                var box = new CropBox((int)numbers[0], (int)numbers[1], (int)numbers[2], (int)numbers[3]);
                picture = picture.Resized(box, (int)numbers[4], (int)numbers[5], step.Contains("bicubic", StringComparison.Ordinal) ? Interpolation.Bicubic : Interpolation.Bilinear);
            }
            else if (operation == "horizontal")
                HorizontalFlip.Apply(picture.Planes, picture.Width);
            else if (Enum.TryParse(operation, ignoreCase: true, out ColorStep colorStep))
                ColorAdjust.Apply(colorStep, picture.Planes, picture.Channels, numbers[0]);
            else if (operation == "grayscale")
                Grayscale.Apply(picture.Planes);
            else if (operation == "gaussian")
            {
                var kernel = new float[(int)numbers[0]];
                Blur.FillKernel(kernel, numbers[1]);
                picture.BlurWith(kernel, kernel);
            }
            else if (operation == "solarize")
                Solarize.Apply(picture.Planes, numbers[0]);
            else if (step == "normalise imagenet")
                Normalise.Apply(picture.Planes, new Normalization([0.485f, 0.456f, 0.406f], [0.229f, 0.224f, 0.225f]), picture.Planes);
            else if (step == "normalise cifar10")
                Normalise.Apply(picture.Planes, new Normalization([0.4914f, 0.4822f, 0.4465f], [0.2023f, 0.1994f, 0.2010f]), picture.Planes);
            else
                return null;
        }
        return new JsonObject { ["float"] = picture.ToJson() };
    }

    /// <summary>What a vision transformer's first layer sees of a picture, asked by kernels that each copy one number of a patch. The layer's weights stand among the answers.</summary>
    private static JsonObject Patchify(KnownAnswerCase given)
    {
        using var scope = NewDisposeScope();
        int side = Integer(given.Parameters, "patch");
        Tensor picture = given.Inputs.GetProperty("picture").ToTensor().permute(2, 0, 1).unsqueeze(0); // [1, C, H, W]
        (long channels, long height, long width) = (picture.shape[1], picture.shape[2], picture.shape[3]);
        long numbers = channels * side * side;
        Tensor channelFirst = Patches(picture, eye(numbers)), firstOfPatch = eye(numbers).narrow(0, 0, 1);
        Tensor channelLast = channelFirst.view(-1, channels, side * side).transpose(1, 2).flatten(1);
        Tensor rows = arange(height).view(1, 1, -1, 1).expand(1, channels, -1, width), columns = arange(width).view(1, 1, 1, -1).expand(1, channels, height, -1);
        Tensor weight = given.Expected.GetProperty("embed_weight_out_c_y_x").ToTensor();
        return new JsonObject
        {
            ["n_patches"] = channelFirst.shape[0],
            ["patch_top_left_y_x"] = cat([Patches(rows, firstOfPatch), Patches(columns, firstOfPatch)], 1).ToJson(),
            ["first6_channel_first"] = channelFirst.narrow(1, 0, 6).ToJson(),
            ["first6_channel_last"] = channelLast.narrow(1, 0, 6).ToJson(),
            ["full_channel_first"] = channelFirst.ToJson(),
            ["embed_weight_out_c_y_x"] = weight.ToJson(),
            ["embedded"] = Patches(picture.div(255), weight).ToJson(),
        };

        // [patches, outputs], as VisionTransformer lists them.
        Tensor Patches(Tensor pictures, Tensor kernels)
        {
            using var generator = new Generator(1);
            using var noGradient = no_grad();
            using var layer = Convolution.Patches(channels, kernels.shape[0], side, generator);
            layer.state_dict()["weight"].copy_(kernels.view(-1, channels, side, side));
            return layer.forward(pictures.to(ScalarType.Float32)).flatten(2).transpose(1, 2)[0];
        }
    }

    private static JsonObject InBytes(KnownAnswerCase given, Action<TestPicture> change)
    {
        TestPicture picture = TestPicture.Read(given.Inputs);
        change(picture);
        return new JsonObject { ["uint8"] = picture.ToJson(value => (int)MathF.Round(value * 255)) };
    }

    private static int Integer(JsonElement of, string name) => of.GetProperty(name).GetInt32();

    private static float Number(JsonElement of, string name) => of.GetProperty(name).GetSingle();

    private static float[] Numbers(JsonElement of, string name) => of.GetProperty(name).Deserialize<float[]>()!;

    private static double[] Doubles(JsonElement of, string name) => of.GetProperty(name).Deserialize<double[]>()!;

    [GeneratedRegex(@"-?\d+(\.\d+)?")]
    private static partial Regex NumberPattern();

    private struct GivenDraws(double[] numbers) : IUniformDraws
    {
        private int _next;

        public double NextDouble() => numbers[_next++];
    }
}
