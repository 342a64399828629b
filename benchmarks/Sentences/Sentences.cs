using FewLabels;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Embeddings of sentences, counted and learned, by one measure in one table.</summary>
internal static class Sentences
{
    /// <summary>0 when all rows that can be made are there, 1 when a file broke on the way, 2 where the options are wrong.</summary>
    public static int Run(string[] args)
    {
        try
        {
            SentencesOptions options = SentencesOptions.Parse(args);
            Directory.CreateDirectory(Path.Combine(options.Out, "runs"));
            RunAll(options, new SentenceData(options));
            return 0;
        }
        catch (Exception error) when (error is BenchmarkException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(error.Message);
            return error is BenchmarkException ? 2 : 1;
        }
    }

    private static void RunAll(SentencesOptions options, SentenceData data)
    {
        SentenceRow[] rows = options.Runs.ReadAll(SentenceMethods.Names, []);
        var without = new List<SentenceRow>(); // a result: not kept
        foreach (int seed in Enumerable.Range(1, options.Seeds))
        {
            foreach (SentenceMethod method in SentenceMethods.All.Where(method => options.Methods.Contains(method.Name) && (seed == 1 || method.Draws)))
            {
                SentenceRow? kept = options.Runs.Read(method.Name, seed);
                SentenceRow row = kept ?? Make(options, data, method, seed);
                Console.WriteLine($"{method.Name}, seed {seed}: {(kept is null ? "" : "kept, ")}{SentenceTable.Line(row)}");
                if (row.NotApplicable is not null)
                    without.Add(row);
                rows = options.Runs.ReadAll(SentenceMethods.Names, without);
                SentenceTable.Write(options, rows); // what is there can be read while the others run
            }
        }
        Console.WriteLine($"{Path.Combine(options.Out, "sentences.md")}, .json and .html have {rows.Length} rows.");
    }

    private static SentenceRow Make(SentencesOptions options, SentenceData data, SentenceMethod method, int seed)
    {
        var row = new SentenceRow { Method = method.Name, Seed = seed, Budget = options.Budget };
        try
        {
            row = method is LearningMethod learning
                ? new LearningRun(options, data, learning, seed).Run(row)
                : SentenceMeasures.Measure(row, ((CountingMethod)method).Prepare(data), data);
        }
        catch (DataException missing)
        {
            return row with { NotApplicable = missing.Message.ReplaceLineEndings(" ") }; // not kept: the file may be there next time
        }
        options.Runs.Write(row);
        return row;
    }
}
