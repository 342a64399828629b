using System.Diagnostics;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Sentences a second on one core of each kind of tokenizer, and the time that learning a vocabulary takes.</summary>
internal static class TokenizerRates
{
    private const int MaxLength = 64;

    /// <param name="file">A sentence a line.</param>
    public static int Run(string file)
    {
        string[] sentences = File.ReadAllLines(file);
        if (sentences.Length == 0)
        {
            Console.Error.WriteLine($"{file} has no lines.");
            return 2;
        }
        Console.WriteLine($"{sentences.Length:n0} sentences of {sentences.Average(sentence => sentence.Length):f0} characters");
        WordPiece words = Time("WordPiece, learning 8,192", () => VocabularyLearning.WordPiece(sentences));
        Measure("WordPiece, learned", words, sentences);
        Measure("byte-level, learned", Time("byte-level, learning 8,192", () => VocabularyLearning.ByteLevelBpe(sentences)), sentences);
        Measure("CLIP, published", ClipBpe.Published(), sentences);
        // Pieces of the learned words, scored by their ids: the work of a unigram model, whatever its ids mean.
        string[] pieces = [.. words.Vocabulary.Tokens.Skip(5).Select(token => token!.StartsWith("##", StringComparison.Ordinal) ? token[2..] : "▁" + token).Distinct()];
        var vocabulary = new Vocabulary([.. SpecialTokens.Roberta.All, .. pieces]);
        float[] scores = [.. Enumerable.Repeat(float.NaN, vocabulary.Count - pieces.Length), .. pieces.Select((_, index) => -MathF.Log(index + 10))];
        Measure("unigram, made up", new SentencePiece(vocabulary, scores, SpecialTokens.Roberta, new()), sentences);
        return 0;
    }

    private static T Time<T>(string what, Func<T> make)
    {
        var clock = Stopwatch.StartNew();
        T made = make();
        Console.WriteLine($"{what,-28} {clock.Elapsed.TotalSeconds,10:f1} s");
        return made;
    }

    private static void Measure(string what, Tokenizer tokenizer, string[] sentences)
    {
        tokenizer.EncodeAll(sentences[..Math.Min(sentences.Length, 5000)], MaxLength);
        var ids = new List<int>();
        long tokens = 0;
        var clock = Stopwatch.StartNew();
        foreach (string sentence in sentences)
        {
            ids.Clear();
            tokenizer.Encode(sentence, MaxLength, ids);
            tokens += ids.Count;
        }
        Console.WriteLine($"{what,-28} {sentences.Length / clock.Elapsed.TotalSeconds,10:n0} sentences/s, {(double)tokens / sentences.Length:f1} ids each");
    }
}
