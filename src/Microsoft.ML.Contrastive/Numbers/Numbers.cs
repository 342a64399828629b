using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Tensors with numbers: what is named by a noun or preposition is a new tensor, what is named by a verb is done in place. TorchSharp makes a number into an object with a finalizer
/// and keeps only its address during the native call, so that a garbage collection at the wrong moment frees what is being read: an exception then, or another number
/// (docs/platform.md). Here it lives until the call is over, and is freed at once. Nothing in the library gives TorchSharp a bare number (<c>ArchitectureTests</c>).
/// </summary>
internal static class Numbers
{
    public static Tensor Plus(this Tensor x, Tensor other) => x.add(other, Number.One);

    public static Tensor Plus(this Tensor x, Tensor other, Number alpha) => With(alpha, kept => x.add(other, kept));

    public static Tensor Plus(this Tensor x, double number) => With(number, kept => x.add(kept, Number.One));

    public static Tensor Plus(this Tensor x, long number) => With(number, kept => x.add(kept, Number.One));

    public static Tensor Minus(this Tensor x, Number number) => With(number, kept => x.sub(kept));

    public static Tensor Times(this Tensor x, Number number) => With(number, kept => x.mul(kept));

    public static Tensor Over(this Tensor x, Number number, RoundingMode rounding = RoundingMode.None) => With(number, kept => x.div(kept, rounding));

    public static Tensor Modulo(this Tensor x, Number number) => With(number, kept => x.remainder(kept));

    public static Tensor Power(this Tensor x, Number exponent) => With(exponent, kept => x.pow(kept));

    public static Tensor AtLeast(this Tensor x, Number least) => With(least, kept => x.clamp_min(kept));

    public static Tensor AtMost(this Tensor x, Number most) => With(most, kept => x.clamp_max(kept));

    public static Tensor Filled(this Tensor x, Tensor mask, Number number) => With(number, kept => x.masked_fill(mask, kept));

    public static Tensor Is(this Tensor x, Number number) => With(number, kept => x.eq(kept));

    public static Tensor IsNot(this Tensor x, Number number) => With(number, kept => x.ne(kept));

    public static Tensor IsAbove(this Tensor x, Number number) => With(number, kept => x.gt(kept));

    public static Tensor IsBelow(this Tensor x, Number number) => With(number, kept => x.lt(kept));

    public static Tensor IsAtLeast(this Tensor x, Number number) => With(number, kept => x.ge(kept));

    public static Tensor IsAtMost(this Tensor x, Number number) => With(number, kept => x.le(kept));

    public static Tensor Add(this Tensor x, Tensor other) => x.add_(other, Number.One);

    public static Tensor Add(this Tensor x, double number) => With(number, kept => x.add_(kept, Number.One));

    /// <summary>x = x + factor other.</summary>
    public static Tensor AddScaled(this Tensor x, Tensor other, Number factor) => With(factor, kept => x.add_(other, kept));

    /// <summary>x = x + factor a b.</summary>
    public static Tensor AddProduct(this Tensor x, Tensor a, Tensor b, Number factor) => With(factor, kept => x.addcmul_(a, b, kept));

    /// <summary>x = x + factor a / b.</summary>
    public static Tensor AddQuotient(this Tensor x, Tensor a, Tensor b, Number factor) => With(factor, kept => x.addcdiv_(a, b, kept));

    public static Tensor Scale(this Tensor x, Number factor) => With(factor, kept => x.mul_(kept));

    public static Tensor Divide(this Tensor x, Number divisor) => With(divisor, kept => x.div_(kept));

    public static Tensor Fill(this Tensor x, Number number) => With(number, kept => x.fill_(kept));

    public static Tensor Fill(this Tensor x, Tensor mask, Number number) => With(number, kept => x.masked_fill_(mask, kept));

    /// <summary>No number stays below the least.</summary>
    public static Tensor Raise(this Tensor x, Number least) => With(least, kept => x.clamp_min_(kept));

    /// <summary>No number stays above the most.</summary>
    public static Tensor Lower(this Tensor x, Number most) => With(most, kept => x.clamp_max_(kept));

    internal static Tensor With(Number number, Func<Scalar, Tensor> call)
    {
        using Scalar kept = number.ToScalar();
        return call(kept);
    }
}

/// <summary>A whole or a fractional number on its way to a tensor.</summary>
internal readonly struct Number
{
    /// <summary>Never freed.</summary>
    public static readonly Scalar One = 1;

    private readonly double _fractional;
    private readonly long _whole;
    private readonly bool _isWhole;

    private Number(double fractional, long whole, bool isWhole) => (_fractional, _whole, _isWhole) = (fractional, whole, isWhole);

    public static implicit operator Number(double number) => new(number, 0, isWhole: false);

    public static implicit operator Number(long number) => new(0, number, isWhole: true);

    /// <summary>To be disposed by who asks.</summary>
    public Scalar ToScalar()
    {
        if (_isWhole)
            return _whole;
        return _fractional; // in one expression both would be fractional
    }

    /// <summary>0, 1, ... up to one below the end.</summary>
    public static Tensor Range(Number end, ScalarType? dtype = null, Device? device = null) => Range(0, end, dtype, device);

    /// <summary>The start, one more, ... below the end.</summary>
    public static Tensor Range(Number start, Number end, ScalarType? dtype = null, Device? device = null)
        => Numbers.With(start, first => Numbers.With(end, last => arange(first, last, One, dtype, device)));
}
