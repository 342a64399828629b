using System.Text;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>A small SentencePiece model file, written field by field.</summary>
internal static class SentencePieceBytes
{
    /// <param name="kind">1 for unigram, 2 for BPE.</param>
    public static byte[] Toy(byte kind = 1)
    {
        var file = new MemoryStream();
        (string Piece, float Score, byte Kind)[] pieces =
            [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("▁", -2, 1), ("▁the", -3.5f, 1), ("▁dog", -4.25f, 1), ("<pad>", 0, 3), ("d", -6, 1), ("og", -5, 1)];
        foreach ((string piece, float score, byte type) in pieces)
        {
            byte[] text = Encoding.UTF8.GetBytes(piece);
            Field(file, 1, [0x0A, (byte)text.Length, .. text, 0x15, .. BitConverter.GetBytes(score), 0x18, type]);
        }
        Field(file, 2, [0x18, kind]);
        Field(file, 3, [0x0A, 4, .. "nmt_"u8, 0x18, 1, 0x20, 1, 0x28, 1]);
        return file.ToArray();

        static void Field(MemoryStream file, int number, byte[] bytes) => file.Write([(byte)(number << 3 | 2), (byte)bytes.Length, .. bytes]);
    }
}
