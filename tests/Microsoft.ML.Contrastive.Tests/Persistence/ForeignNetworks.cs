using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive.Tests.Persistence;

/// <summary>
/// torchvision's networks written down once more, as functions of a dictionary of tensors under torchvision's names: what an imported
/// encoder is held against. In evaluation mode; all in the scope of the moment.
/// </summary>
internal sealed class ForeignNetworks(int seed) : IDisposable
{
    private readonly Generator _generator = new((ulong)seed);

    /// <summary>Random weights of a ResNet of basic blocks (18, 34) or bottlenecks (50), with a classifier of 5 classes.</summary>
    public Dictionary<string, Tensor> ResNet(int[] blocks, bool bottleneck, int width)
    {
        var w = new Dictionary<string, Tensor>();
        Layer("conv1", "bn1", 3, width, 7);
        int inputs = width;
        for (int stage = 0; stage < 4; stage++)
            for (int i = 0; i < blocks[stage]; i++)
            {
                string at = $"layer{stage + 1}.{i}.";
                int planes = width << stage, outputs = bottleneck ? 4 * planes : planes;
                Layer(at + "conv1", at + "bn1", inputs, planes, bottleneck ? 1 : 3);
                Layer(at + "conv2", at + "bn2", planes, planes, 3);
                if (bottleneck)
                    Layer(at + "conv3", at + "bn3", planes, outputs, 1);
                if (i == 0 && (stage > 0 || bottleneck))
                    Layer(at + "downsample.0", at + "downsample.1", inputs, outputs, 1);
                inputs = outputs;
            }
        (w["fc.weight"], w["fc.bias"]) = (Normal(0, 1, 5, inputs), Normal(0, 1, 5));
        return w;

        void Layer(string conv, string norm, int from, int to, int kernel)
        {
            w[conv + ".weight"] = Normal(0, Math.Sqrt(2.0 / (from * kernel * kernel)), to, from, kernel, kernel);
            (w[norm + ".weight"], w[norm + ".bias"]) = (Normal(1, 0.2, to), Normal(0, 0.3, to));
            (w[norm + ".running_mean"], w[norm + ".running_var"]) = (Normal(0, 0.3, to), Normal(0, 0.3, to).abs().add(0.5));
            w[norm + ".num_batches_tracked"] = tensor(7L);
        }
    }

    /// <summary>Features [N, D] of pictures [N, 3, H, W], in front of the classifier.</summary>
    public static Tensor ResNet(Dictionary<string, Tensor> w, int[] blocks, bool bottleneck, Tensor pictures)
    {
        Tensor x = max_pool2d(relu(Norm(conv2d(pictures, w["conv1.weight"], null, [2, 2], [3, 3]), "bn1")), 3, 2, 1);
        for (int stage = 0; stage < 4; stage++)
            for (int i = 0; i < blocks[stage]; i++)
            {
                string at = $"layer{stage + 1}.{i}.";
                long stride = i == 0 && stage > 0 ? 2 : 1;
                Tensor shortcut = w.ContainsKey(at + "downsample.0.weight") ? Norm(Conv(x, at + "downsample.0", stride), at + "downsample.1") : x;
                Tensor y = relu(Norm(Conv(x, at + "conv1", bottleneck ? 1 : stride), at + "bn1"));
                y = Norm(Conv(y, at + "conv2", bottleneck ? stride : 1), at + "bn2"); // the 3x3 has the stride
                x = relu((bottleneck ? Norm(Conv(relu(y), at + "conv3", 1), at + "bn3") : y) + shortcut);
            }
        return adaptive_avg_pool2d(x, [1, 1]).flatten(1);

        Tensor Conv(Tensor input, string name, long stride)
        {
            Tensor weight = w[name + ".weight"];
            long padding = (weight.shape[2] - 1) / 2;
            return conv2d(input, weight, null, [stride, stride], [padding, padding]);
        }

        Tensor Norm(Tensor input, string name)
        {
            Tensor Of(string what) => w[$"{name}.{what}"].reshape(1, -1, 1, 1);
            return (input - Of("running_mean")) / (Of("running_var") + 1e-5).sqrt() * Of("weight") + Of("bias");
        }
    }

    /// <summary>Random weights of a vision transformer on pictures of <paramref name="side"/> pixels, with a classifier of 5 classes.</summary>
    public Dictionary<string, Tensor> Transformer(int width, int depth, int patch, int side)
    {
        int tokens = 1 + side / patch * (side / patch);
        var w = new Dictionary<string, Tensor>
        {
            ["class_token"] = Normal(0, 1, 1, 1, width),
            ["conv_proj.weight"] = Normal(0, 0.2, width, 3, patch, patch),
            ["conv_proj.bias"] = Normal(0, 0.3, width),
            ["encoder.pos_embedding"] = Normal(0, 1, 1, tokens, width),
        };
        for (int i = 0; i < depth; i++)
        {
            string at = $"encoder.layers.encoder_layer_{i}.";
            Norm(at + "ln_1");
            (w[at + "self_attention.in_proj_weight"], w[at + "self_attention.in_proj_bias"]) = (Normal(0, 0.3, 3 * width, width), Normal(0, 0.3, 3 * width));
            Linear(at + "self_attention.out_proj", width, width);
            Norm(at + "ln_2");
            Linear(at + "mlp.0", width, 4 * width);
            Linear(at + "mlp.3", 4 * width, width);
        }
        Norm("encoder.ln");
        Linear("heads.head", width, 5);
        return w;

        void Linear(string name, int from, int to) => (w[name + ".weight"], w[name + ".bias"]) = (Normal(0, 0.3, to, from), Normal(0, 0.3, to));
        void Norm(string name) => (w[name + ".weight"], w[name + ".bias"]) = (Normal(1, 0.2, width), Normal(0, 0.3, width));
    }

    /// <summary>The class token's last state [N, D], with PyTorch's own multi-head attention written out.</summary>
    public static Tensor Transformer(Dictionary<string, Tensor> w, int depth, int heads, Tensor pictures)
    {
        long patch = w["conv_proj.weight"].shape[2], width = w["class_token"].shape[2], size = width / heads;
        Tensor x = conv2d(pictures, w["conv_proj.weight"], w["conv_proj.bias"], [patch, patch]).flatten(2).transpose(1, 2);
        x = cat([w["class_token"].expand(x.shape[0], 1, width), x], 1) + w["encoder.pos_embedding"];
        for (int i = 0; i < depth; i++)
        {
            string at = $"encoder.layers.encoder_layer_{i}.";
            Tensor normed = Norm(x, at + "ln_1");
            Tensor[] qkv = [.. w[at + "self_attention.in_proj_weight"].chunk(3, 0).Zip(w[at + "self_attention.in_proj_bias"].chunk(3, 0), (weight, bias) => linear(normed, weight, bias))];
            var mixed = new List<Tensor>();
            for (int head = 0; head < heads; head++)
            {
                Tensor q = qkv[0].narrow(2, head * size, size), k = qkv[1].narrow(2, head * size, size), v = qkv[2].narrow(2, head * size, size);
                mixed.Add(softmax(q.matmul(k.transpose(1, 2)) / Math.Sqrt(size), 2).matmul(v));
            }
            x = x + Linear(cat(mixed, 2), at + "self_attention.out_proj");
            Tensor hidden = Linear(Norm(x, at + "ln_2"), at + "mlp.0");
            x = x + Linear(hidden * 0.5 * (1 + erf(hidden / Math.Sqrt(2))), at + "mlp.3");
        }
        return Norm(x, "encoder.ln").select(1, 0);

        Tensor Linear(Tensor input, string name) => linear(input, w[name + ".weight"], w[name + ".bias"]);
        Tensor Norm(Tensor input, string name)
        {
            Tensor centred = input - input.mean([2], keepdim: true);
            return centred / (centred.pow(2).mean([2], keepdim: true) + 1e-6).sqrt() * w[name + ".weight"] + w[name + ".bias"];
        }
    }

    /// <summary>The same transformer under timm's names.</summary>
    public static Dictionary<string, Tensor> UnderTimmsNames(Dictionary<string, Tensor> w) => w.ToDictionary(
        pair => pair.Key
            .Replace("class_token", "cls_token", StringComparison.Ordinal).Replace("conv_proj", "patch_embed.proj", StringComparison.Ordinal)
            .Replace("encoder.pos_embedding", "pos_embed", StringComparison.Ordinal).Replace("encoder.layers.encoder_layer_", "blocks.", StringComparison.Ordinal)
            .Replace("ln_1", "norm1", StringComparison.Ordinal).Replace("ln_2", "norm2", StringComparison.Ordinal).Replace("encoder.ln", "norm", StringComparison.Ordinal)
            .Replace("self_attention.in_proj_", "attn.qkv.", StringComparison.Ordinal).Replace("self_attention.out_proj", "attn.proj", StringComparison.Ordinal)
            .Replace("mlp.0", "mlp.fc1", StringComparison.Ordinal).Replace("mlp.3", "mlp.fc2", StringComparison.Ordinal).Replace("heads.head", "head", StringComparison.Ordinal),
        pair => pair.Value);

    public void Dispose() => _generator.Dispose();

    private Tensor Normal(double mean, double deviation, params long[] shape) => empty(shape).normal_(mean, deviation, _generator);
}
