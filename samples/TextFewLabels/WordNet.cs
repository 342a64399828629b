using System.Text;
using FewLabels;

namespace TextFewLabels;

/// <summary>What a meaning is, and the lexicographer's file that it stands in.</summary>
internal sealed record Definition(string Label, string Text);

/// <summary>
/// WordNet 3.0 (Princeton University 2006): each meaning's definition and examples, sorted by the lexicographer's file that it stands in, such as
/// noun.animal or verb.motion. It is looked for in the folder that the user names, in a local cache, in Debian's package.
/// </summary>
internal sealed record WordNet(IReadOnlyList<Definition> Definitions, IReadOnlyList<string> Examples)
{
    private const string Package = "wordnet-base", PackageFolder = "usr/share/wordnet";
    private static readonly string[] s_files = ["data.noun", "data.verb", "data.adj", "data.adv"];

    private static readonly string[] s_lexicographerFiles = // lexnames(5WN), by number
    [
        "adj.all", "adj.pert", "adv.all", "noun.Tops", "noun.act", "noun.animal", "noun.artifact", "noun.attribute", "noun.body", "noun.cognition", "noun.communication",
        "noun.event", "noun.feeling", "noun.food", "noun.group", "noun.location", "noun.motive", "noun.object", "noun.person", "noun.phenomenon", "noun.plant",
        "noun.possession", "noun.process", "noun.quantity", "noun.relation", "noun.shape", "noun.state", "noun.substance", "noun.time", "verb.body", "verb.change",
        "verb.cognition", "verb.communication", "verb.competition", "verb.consumption", "verb.contact", "verb.creation", "verb.emotion", "verb.motion", "verb.perception",
        "verb.possession", "verb.social", "verb.stative", "verb.weather", "adj.ppl",
    ];

    public static string CacheFolder { get; } = LocalCache.Folder("wordnet");

    /// <summary>Finds the files, fetching them into the cache where needed.</summary>
    /// <exception cref="DataException">They can't be had; the message says what to do.</exception>
    public static WordNet Open(string? namedFolder, Action<string> say)
    {
        if (namedFolder is null && Missing(CacheFolder) is not null)
        {
            if (Missing("/" + PackageFolder) is null)
                return Read("/" + PackageFolder);
            DebianPackage.Unpacked(Package, "6 MB", say, unpacked =>
            {
                string folder = Path.Combine(unpacked, PackageFolder);
                Directory.CreateDirectory(CacheFolder);
                foreach (string file in s_files)
                    PutWhole(Path.Combine(folder, file), Path.Combine(CacheFolder, file));
            });
        }
        return Read(namedFolder ?? CacheFolder);
    }

    private static WordNet Read(string folder)
    {
        if (Missing(folder) is { } missing)
            throw new DataException($"{missing} is missing. Install Debian's package {Package}, or name a folder with {string.Join(", ", s_files)}: --wordnet FOLDER.");
        var definitions = new List<Definition>();
        var examples = new List<string>();
        foreach (string file in s_files)
            foreach ((int number, string line) in File.ReadLines(Path.Combine(folder, file), Encoding.Latin1).Index())
                if (!line.StartsWith("  ", StringComparison.Ordinal)) // the licence
                    ReadMeaning(line, $"{file}, line {number + 1}");
        return new WordNet(definitions, examples);

        // "offset lexicographer's-file-number ... | definition; "example"; "example""
        void ReadMeaning(string line, string place)
        {
            string[] fields = line.Split(' ', 3);
            int bar = line.IndexOf(" | ", StringComparison.Ordinal);
            if (bar < 0 || fields.Length < 3 || !int.TryParse(fields[1], out int number) || number < 0 || number >= s_lexicographerFiles.Length)
                throw new DataException($"{place} is no meaning of WordNet 3.0: '{line[..Math.Min(60, line.Length)]}'.");
            string gloss = line[(bar + 3)..].Trim();
            int end = gloss.IndexOf("; \"", StringComparison.Ordinal);
            definitions.Add(new Definition(s_lexicographerFiles[number], end < 0 ? gloss : gloss[..end]));
            if (end >= 0)
                examples.AddRange(gloss[end..].Split('"').Where((_, part) => part % 2 == 1).Where(example => example.Length > 0)); // what stands between quotes
        }
    }

    // Beside the place and then under its name, so that a process that is killed leaves no half of a file there.
    private static void PutWhole(string from, string to)
    {
        string temporary = $"{to}.{Guid.NewGuid():N}.tmp";
        File.Copy(from, temporary);
        File.Move(temporary, to, overwrite: true);
    }

    private static string? Missing(string folder) => s_files.Select(file => Path.Combine(folder, file)).FirstOrDefault(path => !File.Exists(path));
}
