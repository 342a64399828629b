using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>CLIP's transformer: pre-norm blocks of self-attention, [N, T, D] to the same. Tensor names are OpenAI's.</summary>
internal sealed class ClipTransformer : nn.Module<Tensor, Tensor>
{
    /// <summary>Of all layer norms in CLIP.</summary>
    public const double NormEpsilon = 1e-5;

    private readonly ModuleList<nn.Module<Tensor, Tensor>> resblocks;

    /// <param name="width">D.</param>
    /// <param name="depth">Blocks.</param>
    /// <param name="heads">Heads of attention, of which D is a multiple.</param>
    /// <param name="quickGelu">Whether hidden layers bend by x * sigmoid(1.702 x), otherwise by GELU.</param>
    /// <param name="isCausal">True: a token sees those before it and itself.</param>
    /// <param name="generator">Where the weights are drawn from.</param>
    public ClipTransformer(int width, int depth, int heads, bool quickGelu, bool isCausal, Generator generator)
        : base(nameof(ClipTransformer))
    {
        resblocks = nn.ModuleList<nn.Module<Tensor, Tensor>>(
            [.. Enumerable.Range(0, depth).Select(_ => new ClipBlock(width, depth, heads, quickGelu, isCausal, generator))]);
        RegisterComponents();
    }

    /// <summary>Numbers in its weights.</summary>
    public static long CountWeights(long width, long depth) => depth * (12 * width * width + 13 * width);

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        Tensor x = input;
        foreach (nn.Module<Tensor, Tensor> block in resblocks)
        {
            Tensor next = block.forward(x);
            if (!ReferenceEquals(x, input))
                x.Dispose();
            x = next;
        }
        return x.MoveToOuterDisposeScope();
    }

    /// <summary>x + attention(ln_1(x)), then x + mlp(ln_2(x)).</summary>
    private sealed class ClipBlock : nn.Module<Tensor, Tensor>
    {
        private readonly ClipAttention attn;
        private readonly LayerNorm ln_1, ln_2;
        private readonly ClipFeedForward mlp;

        public ClipBlock(int width, int depth, int heads, bool quickGelu, bool isCausal, Generator generator)
            : base(nameof(ClipBlock))
        {
            // Deviations of the released code: what is added to the stream starts smaller the deeper the network.
            double added = Math.Pow(width, -0.5) * Math.Pow(2 * depth, -0.5);
            attn = new ClipAttention(width, heads, isCausal, added, generator);
            ln_1 = new LayerNorm(width, NormEpsilon);
            mlp = new ClipFeedForward(width, quickGelu ? TextActivation.QuickGelu : TextActivation.Gelu, added, generator);
            ln_2 = new LayerNorm(width, NormEpsilon);
            RegisterComponents();
        }

        public override Tensor forward(Tensor input)
        {
            using var scope = NewDisposeScope();
            Tensor x = input.Plus(attn.forward(ln_1.forward(input)));
            return x.Plus(mlp.forward(ln_2.forward(x))).MoveToOuterDisposeScope();
        }
    }

    private sealed class ClipAttention : nn.Module<Tensor, Tensor>
    {
        private readonly Parameter in_proj_weight, in_proj_bias;
        private readonly Linear out_proj;
        private readonly int _heads;
        private readonly bool _isCausal;

        public ClipAttention(int width, int heads, bool isCausal, double addedDeviation, Generator generator)
            : base(nameof(ClipAttention))
        {
            (_heads, _isCausal) = (heads, isCausal);
            in_proj_weight = new Parameter(empty(3 * width, width).normal_(0, Math.Pow(width, -0.5), generator));
            in_proj_bias = new Parameter(zeros(3 * width));
            out_proj = Linear.Normal(width, width, generator, addedDeviation);
            RegisterComponents();
        }

        public override Tensor forward(Tensor input)
        {
            using var scope = NewDisposeScope();
            return out_proj.forward(SelfAttention.Mixed(Arithmetic.Current.Multiply(input, in_proj_weight, in_proj_bias), _heads, _isCausal)).MoveToOuterDisposeScope();
        }
    }

    private sealed class ClipFeedForward : nn.Module<Tensor, Tensor>
    {
        private readonly Linear c_fc, c_proj;
        private readonly TextActivation _activation;

        public ClipFeedForward(int width, TextActivation activation, double addedDeviation, Generator generator)
            : base(nameof(ClipFeedForward))
        {
            _activation = activation;
            c_fc = Linear.Normal(width, 4 * width, generator, Math.Pow(2 * width, -0.5));
            c_proj = Linear.Normal(4 * width, width, generator, addedDeviation);
            RegisterComponents();
        }

        public override Tensor forward(Tensor input)
        {
            using var scope = NewDisposeScope();
            return c_proj.forward(Activations.Apply(_activation, c_fc.forward(input))).MoveToOuterDisposeScope();
        }
    }
}
