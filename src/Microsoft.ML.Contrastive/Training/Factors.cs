using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Sums and products with a number, in place. TorchSharp makes the number into an object with a finalizer and keeps only its address during the native call, so that a garbage collection
/// at the wrong moment frees what is being read (docs/platform.md). Here it lives until the call is over: for what runs in every step.
/// </summary>
internal static class Factors
{
    /// <summary>x = x factor.</summary>
    public static Tensor Scale(this Tensor x, double factor)
    {
        using Scalar kept = factor;
        return x.mul_(kept);
    }

    /// <summary>x = x + factor other.</summary>
    public static Tensor AddScaled(this Tensor x, Tensor other, double factor)
    {
        using Scalar kept = factor;
        return x.add_(other, kept);
    }

    /// <summary>x = x + factor a b.</summary>
    public static Tensor AddProduct(this Tensor x, Tensor a, Tensor b, double factor)
    {
        using Scalar kept = factor;
        return x.addcmul_(a, b, kept);
    }

    /// <summary>x = x + factor a / b.</summary>
    public static Tensor AddQuotient(this Tensor x, Tensor a, Tensor b, double factor)
    {
        using Scalar kept = factor;
        return x.addcdiv_(a, b, kept);
    }
}
