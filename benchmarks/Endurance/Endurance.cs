namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>Long runs that try to break the library; each returns 0 only if nothing broke.</summary>
internal static class Endurance
{
    private const string Help = """
        Usage: dotnet run -c Release --project benchmarks -- endurance <verb>
          mutations      mutated files against every reader [--mutations N] [--seed S] [--reader NAME [--index I]] [--report FOLDER]
        """;

    public static int Run(string[] args)
    {
        switch (args)
        {
            case ["mutations", .. string[] options]:
                return MutationRun.Run(options);
            default:
                Console.Error.WriteLine(Help);
                return 2;
        }
    }
}
