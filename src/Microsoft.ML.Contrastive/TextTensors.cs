using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Token ids as the tensor that a text network takes.</summary>
internal static class TextTensors
{
    /// <summary>[N, T] of int64, T the longest text's or a given length; -1 behind each text's end.</summary>
    public static Tensor Of(IReadOnlyList<int[]> texts, int? length = null)
    {
        int longest = length ?? texts.Max(text => text.Length);
        Tensor tokens = empty(texts.Count, longest, dtype: ScalarType.Int64);
        Span<long> ids = MemoryMarshal.Cast<byte, long>(tokens.bytes);
        ids.Fill(TextNetwork.Filler);
        foreach ((int row, int[] text) in texts.Index())
            for (int place = 0; place < text.Length; place++)
                ids[row * longest + place] = text[place];
        return tokens;
    }
}
