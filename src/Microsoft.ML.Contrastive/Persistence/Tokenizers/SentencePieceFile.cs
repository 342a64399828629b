using System.Buffers.Binary;
using System.Text;

namespace Microsoft.ML.Contrastive;

/// <summary>What a SentencePiece model file holds, of which the library reads the unigram kind.</summary>
/// <param name="Pieces">In the order of the model's ids.</param>
/// <param name="Scores">Not a number for what is no piece of text: control, unknown, unused and byte pieces.</param>
/// <param name="Unknown">The piece that stands for what is unknown.</param>
/// <param name="Controls">Pieces that stand for no text, such as "&lt;s&gt;".</param>
/// <param name="Settings">How a text is written before it is cut.</param>
internal sealed record SentencePieceFile(string[] Pieces, float[] Scores, string Unknown, IReadOnlySet<string> Controls, SentencePieceSettings Settings)
{
    private const int Normal = 1, UnknownKind = 2, Control = 3, UserDefined = 4;

    /// <summary>Reads a protocol buffer "ModelProto" of sentencepiece_model.proto.</summary>
    /// <exception cref="InvalidDataException">Damaged, or of a kind that is not read.</exception>
    public static SentencePieceFile Read(byte[] bytes, string file)
    {
        var pieces = new List<string>();
        var scores = new List<float>();
        var controls = new HashSet<string>(StringComparer.Ordinal);
        var settings = new SentencePieceSettings();
        string? unknown = null;
        ulong model = 1;
        bool isSuffix = false;
        var message = new Fields(bytes, file);
        while (message.Next(out int field))
            switch (field)
            {
                case 1:
                    (string piece, float score, ulong kind) = Piece(message.Bytes(), file);
                    if (kind == UserDefined)
                        throw new InvalidDataException($"{file} has the user-defined symbol {Printable.Quote(piece)}, which is not supported.");
                    if (kind == Control)
                        controls.Add(piece);
                    if (kind == UnknownKind)
                        unknown = piece;
                    pieces.Add(piece);
                    scores.Add(kind == Normal ? score : float.NaN);
                    break;
                case 2:
                    var trainer = new Fields(message.Bytes(), file);
                    while (trainer.Next(out int setting))
                        if (setting == 3)
                            model = trainer.Number();
                        else if (setting == 24)
                            isSuffix = trainer.Number() != 0;
                        else if (setting == 35)
                            settings = settings with { ByteFallback = trainer.Number() != 0 };
                        else
                            trainer.Skip();
                    break;
                case 3:
                    settings = Normalizer(message.Bytes(), settings, file);
                    break;
                default:
                    message.Skip();
                    break;
            }
        if (model != 1)
            throw new InvalidDataException($"{file} is a SentencePiece model of kind {(model is 2 ? "BPE" : model is 3 ? "word" : model is 4 ? "char" : $"{model}")}; only the unigram kind is supported.");
        if (isSuffix)
            throw new InvalidDataException($"{file} has blanks behind words (treat_whitespace_as_suffix), which is not supported.");
        return new([.. pieces], [.. scores], unknown ?? throw new InvalidDataException($"{file} is damaged: it has no piece for what is unknown."), controls, settings);
    }

    private static (string Piece, float Score, ulong Kind) Piece(ReadOnlyMemory<byte> bytes, string file)
    {
        (string piece, float score, ulong kind) = ("", 0, Normal);
        var message = new Fields(bytes, file);
        while (message.Next(out int field))
            switch (field)
            {
                case 1:
                    piece = Encoding.UTF8.GetString(message.Bytes().Span);
                    break;
                case 2:
                    score = message.Single();
                    break;
                case 3:
                    kind = message.Number();
                    break;
                default:
                    message.Skip();
                    break;
            }
        return float.IsFinite(score) ? (piece, score, kind) : throw new InvalidDataException($"{file} is damaged: piece {Printable.Quote(piece)} has the score {score}.");
    }

    private static SentencePieceSettings Normalizer(ReadOnlyMemory<byte> bytes, SentencePieceSettings settings, string file)
    {
        var message = new Fields(bytes, file);
        while (message.Next(out int field))
            switch (field)
            {
                case 2:
                    settings = settings with { CharacterMap = message.Bytes() };
                    break;
                case 3:
                    settings = settings with { AddDummyPrefix = message.Number() != 0 };
                    break;
                case 4:
                    settings = settings with { RemoveExtraBlanks = message.Number() != 0 };
                    break;
                case 5 when message.Number() == 0:
                    throw new InvalidDataException($"{file} keeps blanks as they are (escape_whitespaces is off), which is not supported.");
                case 5:
                    break;
                default:
                    message.Skip();
                    break;
            }
        return settings;
    }

    /// <summary>The fields of a protocol buffer, one after the other; lengths are compared with the bytes that are there.</summary>
    private struct Fields(ReadOnlyMemory<byte> bytes, string file)
    {
        private ReadOnlyMemory<byte> _rest = bytes;
        private int _wire;

        public bool Next(out int field)
        {
            field = 0;
            if (_rest.IsEmpty)
                return false;
            ulong tag = Varint();
            (field, _wire) = ((int)(tag >> 3), (int)(tag & 7));
            return tag >> 3 is > 0 and < 1 << 29 ? true : throw Damaged();
        }

        public ulong Number() => _wire == 0 ? Varint() : throw Damaged();

        public float Single() => _wire == 5 ? BinaryPrimitives.ReadSingleLittleEndian(Take(4).Span) : throw Damaged();

        public ReadOnlyMemory<byte> Bytes() => _wire == 2 ? Take(Varint()) : throw Damaged();

        public void Skip() => _ = _wire switch
        {
            0 => Varint(),
            1 => (ulong)Take(8).Length,
            2 => (ulong)Bytes().Length,
            5 => (ulong)Take(4).Length,
            _ => throw Damaged(),
        };

        private ReadOnlyMemory<byte> Take(ulong length)
        {
            if (length > (ulong)_rest.Length)
                throw Damaged();
            ReadOnlyMemory<byte> taken = _rest[..(int)length];
            _rest = _rest[(int)length..];
            return taken;
        }

        private ulong Varint()
        {
            ulong value = 0;
            for (int shift = 0; shift < 64; shift += 7)
            {
                byte next = Take(1).Span[0];
                value |= (ulong)(next & 0x7F) << shift;
                if (next < 0x80)
                    return value;
            }
            throw Damaged();
        }

        private readonly InvalidDataException Damaged() => new($"{file} is damaged: it is not a SentencePiece model.");
    }
}
