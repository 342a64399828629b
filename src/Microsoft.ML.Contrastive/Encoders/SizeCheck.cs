using System.Globalization;

namespace Microsoft.ML.Contrastive;

/// <summary>Checks of a network's sizes, with one wording.</summary>
internal static class SizeCheck
{
    /// <exception cref="ArgumentOutOfRangeException">The value lies outside of the range.</exception>
    public static void Within(string network, string name, int value, int least, int most)
    {
        if (value < least || value > most)
            throw new ArgumentOutOfRangeException(name, value, string.Create(CultureInfo.InvariantCulture, $"{name} of a {network} must be from {least:n0} to {most:n0}."));
    }

    /// <exception cref="ArgumentOutOfRangeException">The value is no multiple.</exception>
    public static void Multiple(string network, string name, int value, int of, string what)
    {
        if (value % of != 0)
            throw new ArgumentOutOfRangeException(name, value, $"{name} of a {network} must be a multiple of its {of} {what}.");
    }
}
