using System.Text;
using Microsoft.ML.Contrastive.Tests;

namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>The files of tokenizers, each with a valid example; what is read is used too.</summary>
internal static class HostileTokenizers
{
    private static readonly string[] s_texts = ["the dog and the fox", "the naïve fox, the 123 dogs", "日本 the fox's"];

    public static IEnumerable<HostileReader> All()
    {
        WordPiece words = VocabularyLearning.WordPiece(s_texts, new() { Size = 300 });
        ByteLevelBpe bytes = VocabularyLearning.ByteLevelBpe(s_texts, new() { Size = 300 });
        var pieces = TokenizerFiles.Read(name => name == "spiece.model" ? SentencePieceBytes.Toy() : null, "folder");
        byte[] vocabulary = Encoding.UTF8.GetBytes(string.Join('\n', words.Vocabulary.Tokens)), merges = Encoding.UTF8.GetBytes(string.Join('\n', bytes.Merges));
        byte[] ids = Encoding.UTF8.GetBytes($"{{{string.Join(',', bytes.Vocabulary.Tokens.Index().Select(each => $"{System.Text.Json.JsonSerializer.Serialize(each.Item)}:{each.Index}"))}}}");
        return
        [
            new("tokenizer-wordpiece", Json(words), FileMutator.MutateJson, Use("tokenizer.json")),
            new("tokenizer-bpe", Json(bytes), FileMutator.MutateJson, Use("tokenizer.json")),
            new("tokenizer-clip", Json(VocabularyLearning.ClipBpe(s_texts, new() { Size = 550 })), FileMutator.MutateJson, Use("tokenizer.json")),
            new("tokenizer-unigram", Json(pieces), FileMutator.MutateJson, Use("tokenizer.json")),
            new("tokenizer-config", TokenizerJsonWriter.Config(words), FileMutator.MutateJson, Use("tokenizer_config.json", ("vocab.txt", vocabulary))),
            new("vocab-txt", vocabulary, FileMutator.MutateBytes, Use("vocab.txt")),
            new("vocab-json", ids, FileMutator.MutateJson, Use("vocab.json", ("merges.txt", merges))),
            new("merges", merges, FileMutator.MutateBytes, Use("merges.txt", ("vocab.json", ids))),
            new("sentencepiece", SentencePieceBytes.Toy(), FileMutator.MutateBytes, Use("sentencepiece.bpe.model")),
        ];
    }

    private static byte[] Json(Tokenizer tokenizer) => TokenizerJsonWriter.Json(tokenizer);

    /// <summary>Reads the file as one of a folder, with the file beside it, and encodes some texts.</summary>
    private static Action<byte[]> Use(string name, (string Name, byte[] Bytes) beside = default) => bytes =>
    {
        Tokenizer tokenizer = TokenizerFiles.Read(asked => asked == name ? bytes : asked == beside.Name ? beside.Bytes : null, "folder");
        tokenizer.EncodeAll(s_texts, 20);
    };
}
