using System.Text.Json;

namespace Microsoft.ML.Contrastive;

/// <summary>What each token weighs in the mean, as sentence-transformers' module WordWeights keeps it: a vocabulary in the order of its ids, and weights by token.</summary>
internal static class WordWeights
{
    /// <param name="config">The module's config.json.</param>
    /// <param name="count">V.</param>
    /// <returns>[V]; 1 for ids behind the module's vocabulary.</returns>
    /// <exception cref="InvalidDataException">The module is of more tokens, or a weight is no number from 0 upwards.</exception>
    public static float[] Read(JsonPart config, int count)
    {
        JsonPart[] tokens = [.. config["vocab"].Items()];
        if (tokens.Length == 0 || tokens.Length > count)
            throw config.Unknown($"vocab of {tokens.Length} tokens for a model of {count}");
        var given = new Dictionary<string, float>(StringComparer.Ordinal);
        foreach ((string name, JsonPart part) in config["word_weights"].Properties())
            given[name] = Weight(part);
        float unknown = config.Has("unknown_word_weight") ? Weight(config["unknown_word_weight"]) : 1;
        float[] weights = [.. Enumerable.Repeat(1f, count)];
        foreach ((int id, JsonPart token) in tokens.Index())
        {
            string word = token.AsText();
            weights[id] = given.TryGetValue(word, out float weight) || given.TryGetValue(word.ToLowerInvariant(), out weight) ? weight : unknown; // theirs looks for both
        }
        return weights;
    }

    /// <param name="vocabulary">Ids without a token get a name, because theirs counts by the list.</param>
    /// <param name="weights">[V].</param>
    public static object Write(Vocabulary vocabulary, float[] weights)
    {
        string[] tokens = [.. vocabulary.Tokens.Select((token, id) => token ?? $"[no token {id}]")];
        var byToken = new Dictionary<string, float>(StringComparer.Ordinal);
        foreach ((string token, float weight) in tokens.Zip(weights))
            byToken[token] = weight;
        return new Dictionary<string, object> { ["vocab"] = tokens, ["word_weights"] = byToken, ["unknown_word_weight"] = 1 };
    }

    private static float Weight(JsonPart part)
        => part.Element.ValueKind == JsonValueKind.Number && (float)part.Element.GetDouble() is >= 0 and < float.PositiveInfinity and var weight ? weight
            : throw part.Unknown($"weight of {Printable.Quote(part.Place)} that is not from 0 upwards");
}
